import java.io.*;
import java.net.*;
import java.nio.file.*;
import java.security.KeyStore;
import java.security.cert.*;
import java.util.*;
import javax.net.ssl.*;

/** A TLS client and server on the Java Secure Socket Extension, as an ERP would use it. */
class Tls {
    public static void main(String[] args) throws Exception {
        Map<String, String> opt = new HashMap<>();
        for (int i = 1; i + 1 < args.length; i += 2) opt.put(args[i], args[i + 1]);
        if (args[0].equals("server")) server(opt); else client(opt);
    }

    static SSLContext context(Map<String, String> opt) throws Exception {
        TrustManagerFactory trust = TrustManagerFactory.getInstance("PKIX");
        KeyStore roots = KeyStore.getInstance("PKCS12");
        roots.load(null, null);
        if (opt.containsKey("ca")) {
            int n = 0;
            try (InputStream in = Files.newInputStream(Path.of(opt.get("ca")))) {
                for (Certificate c : CertificateFactory.getInstance("X.509").generateCertificates(in))
                    roots.setCertificateEntry("root" + n++, c);
            }
        }
        trust.init(roots);
        KeyManagerFactory keys = null;
        if (opt.containsKey("p12")) {
            KeyStore own = KeyStore.getInstance("PKCS12");
            try (InputStream in = Files.newInputStream(Path.of(opt.get("p12")))) { own.load(in, "lab".toCharArray()); }
            keys = KeyManagerFactory.getInstance("PKIX");
            keys.init(own, "lab".toCharArray());
        }
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(keys == null ? null : keys.getKeyManagers(), trust.getTrustManagers(), null);
        return context;
    }

    static void client(Map<String, String> opt) throws Exception {
        SSLContext context = context(opt);
        int requests = Integer.parseInt(opt.getOrDefault("requests", "1"));
        for (int i = 0; i < requests; i++) {
            HttpsURLConnection c = (HttpsURLConnection) new URL(opt.get("url")).openConnection();
            c.setSSLSocketFactory(context.getSocketFactory());
            c.setReadTimeout(Integer.parseInt(opt.getOrDefault("timeout", "20000")));
            c.setRequestProperty("Content-Type", "application/json; charset=utf-8");
            try {
                if (opt.containsKey("post")) {
                    c.setDoOutput(true);
                    c.getOutputStream().write(opt.get("post").getBytes("UTF-8"));
                }
                System.out.println(c.getResponseCode());
                InputStream body = c.getResponseCode() < 400 ? c.getInputStream() : c.getErrorStream();
                if (body != null) System.out.println(new String(body.readAllBytes(), "UTF-8"));
            } catch (IOException e) {
                System.out.println(e);
            }
            if (i + 1 < requests) Thread.sleep(Integer.parseInt(opt.getOrDefault("pause", "300")));
        }
    }

    static void server(Map<String, String> opt) throws Exception {
        SSLServerSocketFactory factory = context(opt).getServerSocketFactory();
        SSLServerSocket socket = (SSLServerSocket) factory.createServerSocket(Integer.parseInt(opt.get("port")), 16);
        if (opt.containsKey("suites")) socket.setEnabledCipherSuites(opt.get("suites").split(","));
        if (opt.containsKey("versions")) socket.setEnabledProtocols(opt.get("versions").split(","));
        if (opt.containsKey("need")) socket.setNeedClientAuth(true);
        while (true) {
            SSLSocket peer = (SSLSocket) socket.accept();
            try {
                BufferedReader in = new BufferedReader(new InputStreamReader(peer.getInputStream(), "UTF-8"));
                int length = 0;
                for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine())
                    if (line.toLowerCase().startsWith("content-length:")) length = Integer.parseInt(line.substring(15).trim());
                for (int i = 0; i < length; i++) in.read();
                byte[] body = "{\"code\":\"0\",\"message\":\"ok\"}".getBytes("UTF-8");
                OutputStream out = peer.getOutputStream();
                out.write(("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + body.length
                        + "\r\nConnection: close\r\n\r\n").getBytes("UTF-8"));
                out.write(body);
                out.flush();
            } catch (IOException e) {
                System.out.println(e);
            }
            peer.close();
        }
    }
}
