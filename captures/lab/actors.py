"""The real stacks that the TLS and HTTP scenarios put on the stage: servers first, then clients.

A server takes the name of a chain of `pki.py`; `tls` is the version range as `1.2` or `1.0-1.3`.
"""
import shutil
import subprocess
import textwrap

from stage import LAB, NAME, PKI, sh
import pki

ROOTS = LAB / "roots.pem"
JAVA = ["java", "-Xshare:auto", "-XX:TieredStopAtLevel=1", "-Xmx128m"]
JSON = '{"Response":{"RequestId":"5f1c0a7e","Data":{"code":"0","message":"ok","serial":"26112400001"}}}'
ORDER = ["1.0", "1.1", "1.2", "1.3"]


def span(tls):
    low, _, high = tls.partition("-")
    high = high or low
    return ORDER[ORDER.index(low):ORDER.index(high) + 1]


def keyfile(chain):
    for suffix in ("rsa1024", "ec192"):
        if chain == suffix:
            return PKI / f"leaf-{suffix}.key"
    ec = {"good-ec", "good-ec-bare", "expired-hours", "future-ec", "expiring-90", "short-lived", "self-ec", "cross"}
    return PKI / ("leaf-ec.key" if chain in ec else "leaf-rsa.key")


# Servers

def nginx(stage, chain="good", port=443, tls="1.2-1.3", extra="", locations=None, secure=True, http="", main="",
          ciphers="", servers=None):
    """nginx; `locations` replaces the one that answers every path with JSON."""
    stage.used("nginx")
    versions = " ".join("TLSv1" if v == "1.0" else f"TLSv{v}" for v in span(tls))
    if min(span(tls)) < "1.2" and not ciphers:
        ciphers = "ALL:@SECLEVEL=0"
    crypt = "" if not secure else f"""
        ssl_certificate {PKI}/{chain}.pem; ssl_certificate_key {keyfile(chain)};
        ssl_protocols {versions}; {f'ssl_ciphers {ciphers};' if ciphers else ''}"""
    locations = locations or f"location / {{ default_type application/json; return 200 '{JSON}'; }}"
    one = f"""server {{ listen {port} {'ssl' if secure else ''}; listen [::]:{port} {'ssl' if secure else ''};
        server_name _; {crypt} {extra} {locations} }}"""
    conf = stage.write(f"nginx{port}.conf", textwrap.dedent(f"""
        daemon off; user root; worker_processes 1; pid {stage.dir}/nginx{port}.pid; error_log {stage.dir}/nginx.err; {main}
        events {{ worker_connections 128; }}
        http {{ access_log off; client_body_temp_path {stage.dir}/b; proxy_temp_path {stage.dir}/p;
        fastcgi_temp_path {stage.dir}/f; uwsgi_temp_path {stage.dir}/u; scgi_temp_path {stage.dir}/s;
        types {{ text/html html; application/json json; application/pdf pdf; }}
        {http} {servers or one} }}"""))
    return stage.start("s", ["nginx", "-c", conf], port)


def haproxy(stage, body, port):
    """HAProxy with the given frontends and backends."""
    stage.used("haproxy")
    conf = stage.write(f"haproxy{port}.cfg", "defaults\n  mode http\n  timeout connect 2s\n  timeout client 30s\n"
                       "  timeout server 30s\n" + textwrap.dedent(body))
    return stage.start("s", ["haproxy", "-db", "-f", conf], port)


def bundle(stage, chain):
    """Certificate chain and key in one file, as HAProxy wants it."""
    path = stage.dir / f"{chain}-bundle.pem"
    path.write_text((PKI / f"{chain}.pem").read_text() + keyfile(chain).read_text())
    return path


def s_server(stage, chain="good", port=4433, *options):
    """openssl s_server that answers HTTP with its status page."""
    stage.used("openssl")
    leaf, rest = stage.dir / "leaf.pem", stage.dir / "rest.pem"
    blocks = (PKI / f"{chain}.pem").read_text().split("-----END CERTIFICATE-----\n")[:-1]
    blocks = [b + "-----END CERTIFICATE-----\n" for b in blocks]
    leaf.write_text(blocks[0])
    argv = ["openssl", "s_server", "-accept", port, "-cert", leaf, "-key", keyfile(chain), "-www", "-quiet"]
    if blocks[1:]:
        rest.write_text("".join(blocks[1:]))
        argv += ["-cert_chain", rest]
    return stage.start("s", argv + list(options), port)


def gnutls_serv(stage, chain="good", port=5556, priority="NORMAL", *options):
    stage.used("gnutls")
    return stage.start("s", ["gnutls-serv", "--http", "-p", port, "--x509certfile", PKI / f"{chain}.pem", "--x509keyfile",
                             keyfile(chain), "--priority", priority, *options], port)


def java_server(stage, chain="good", port=8443, suites=None, versions=None, legacy=False, need=False, ca=None):
    stage.used("java")
    p12 = stage.dir / "server.p12"
    sh(f"openssl pkcs12 -export -in {PKI}/{chain}.pem -inkey {keyfile(chain)} -out {p12} -passout pass:lab -name lab")
    argv = JAVA + (["-Djava.security.properties==" + str(_legacy(stage))] if legacy else [])
    argv += ["-cp", LAB / ".work", "Tls", "server", "port", port, "p12", p12]
    for key, value in (("suites", suites), ("versions", versions), ("need", "yes" if need else None), ("ca", ca)):
        argv += [key, value] if value else []
    return stage.start("s", argv, port)


def _legacy(stage):
    """Java's own security properties with nothing disabled."""
    path = stage.dir / "legacy.security"
    if not path.exists():
        text = open("/usr/lib/jvm/java-17-openjdk-amd64/conf/security/java.security").read()
        for name in ("jdk.tls.disabledAlgorithms", "jdk.tls.legacyAlgorithms", "jdk.certpath.disabledAlgorithms",
                     "jdk.disabled.namedCurves"):
            out, skip = [], False
            for line in text.splitlines():
                if skip:
                    skip = line.endswith("\\")
                    continue
                if line.startswith(name + "="):
                    skip = line.endswith("\\")
                    line = name + "="
                out.append(line)
            text = "\n".join(out) + "\n"
        path.write_text(text)
    return path


NODE_SERVER = """
const [kind, port, cert, key, min, max] = process.argv.slice(2);
const fs = require('fs');
const answer = (q, r) => { let n = 0; q.on('data', d => n += d.length); q.on('end', () => {
  r.writeHead(200, {'Content-Type': 'application/json; charset=utf-8'});
  r.end(JSON.stringify({code: '0', message: 'ok', received: n, path: q.url})); }); };
const s = kind === 'tls'
  ? require('https').createServer({cert: fs.readFileSync(cert), key: fs.readFileSync(key), minVersion: min, maxVersion: max}, answer)
  : require('http').createServer(answer);
s.listen(+port, '::');
"""


def node_server(stage, chain="good", port=8443, tls="1.2-1.3", secure=True):
    stage.used("node")
    versions = span(tls)
    return stage.start("s", ["node", stage.write("server.js", NODE_SERVER), "tls" if secure else "plain", port,
                             PKI / f"{chain}.pem", keyfile(chain), f"TLSv{versions[0]}", f"TLSv{versions[-1]}"], port)


# Clients

def url(stage, path="/", port=443, name=NAME, scheme="https"):
    shown = f":{port}" if (scheme, port) not in (("https", 443), ("http", 80)) else ""
    return f"{scheme}://{name}{shown}{path}"


def curl(stage, *options, path="/kpfw/v1/health", port=443, name=NAME, scheme="https", ca=ROOTS, tls=None, who="c", timeout=60):
    stage.used("curl")
    argv = ["curl", "-sS", "-o", "/dev/null", "--http1.1", *options]
    if scheme == "https":
        argv += ["--cacert", ca] if ca else ["-k"]
        if tls:
            argv += [f"--tlsv{span(tls)[0]}", "--tls-max", span(tls)[-1]]
    return stage.run(who, argv + [url(stage, path, port, name, scheme)], timeout)


def s_client(stage, *options, port=443, name=NAME, ca=ROOTS, path="/kpfw/v1/health", hold=0, refuse=True, who="c", sni=True,
             strict=False):
    """openssl s_client that asks one HTTP request once the handshake is done."""
    stage.used("openssl")
    request = f"GET {path} HTTP/1.1\\r\\nHost: {name}\\r\\nConnection: close\\r\\n\\r\\n"
    argv = ["openssl", "s_client", "-connect", f"{name}:{port}", "-ign_eof", "-quiet",
            *(["-servername", name] if sni else ["-noservername"])]
    argv += ["-CAfile", ca, "-no-CApath"] + (["-verify_return_error", "-verify_hostname", name] if refuse else [])
    argv += ["-verify_return_error"] if strict else []
    argv += [str(o) for o in options]
    return stage.run(who, ["bash", "-c", f"printf '{request}' | timeout {hold or 20} " + " ".join(str(a) for a in argv)], 60)


def gnutls_cli(stage, *options, port=443, name=NAME, ca=ROOTS, priority="NORMAL", path="/kpfw/v1/health", who="c"):
    stage.used("gnutls")
    request = f"GET {path} HTTP/1.1\\r\\nHost: {name}\\r\\nConnection: close\\r\\n\\r\\n"
    argv = ["gnutls-cli", "--x509cafile", ca, "-p", port, "--priority", f"'{priority}'", *options, name]
    return stage.run(who, ["bash", "-c", f"(printf '{request}'; sleep 1) | timeout 20 " + " ".join(str(a) for a in argv)], 60)


def java(stage, path="/kpfw/v1/health", port=443, name=NAME, ca=ROOTS, tls=None, legacy=False, who="c", suites=None, sni=True, **more):
    stage.used("java")
    argv = JAVA + ([] if sni else ["-Djsse.enableSNIExtension=false"]) + (["-Djava.security.properties==" + str(_legacy(stage))] if legacy else [])
    if tls:
        argv.append("-Djdk.tls.client.protocols=" + ",".join("TLSv1" if v == "1.0" else f"TLSv{v}" for v in span(tls)))
    if suites:
        argv.append(f"-Djdk.tls.client.cipherSuites={suites}")
        argv.append(f"-Dhttps.cipherSuites={suites}")
    argv += ["-cp", LAB / ".work", "Tls", "client", "url", url(stage, path, port, name), "ca", ca]
    for key, value in more.items():
        argv += [key, value]
    return stage.run(who, argv)


NODE_CLIENT = """
const [url, ca, min, max, count, ms, body] = process.argv.slice(2);
const https = require('https'), fs = require('fs');
const agent = new https.Agent({keepAlive: true, ca: fs.readFileSync(ca), minVersion: min, maxVersion: max});
let left = +count;
function next() {
  const q = https.request(url, {agent, method: body ? 'POST' : 'GET', headers: body ? {'Content-Type': 'application/json'} : {}}, r => {
    r.resume(); r.on('end', () => { console.log(r.statusCode); if (--left) setTimeout(next, 200); else agent.destroy(); }); });
  q.setTimeout(+ms, () => q.destroy(new Error('timeout')));
  q.on('error', e => { console.log(e.message); agent.destroy(); });
  q.end(body || undefined);
}
next();
"""


def node(stage, path="/kpfw/v1/health", port=443, name=NAME, ca=ROOTS, tls="1.2-1.3", count=1, ms=20000, body="", who="c"):
    stage.used("node")
    versions = span(tls)
    return stage.run(who, ["node", stage.write("client.js", NODE_CLIENT), url(stage, path, port, name), ca,
                           f"TLSv{versions[0]}", f"TLSv{versions[-1]}", count, ms] + ([body] if body else []))


PYTHON_CLIENT = """
import http.client, ssl, sys
host, port, ca, low, high, path, count, wait, ciphers = sys.argv[1:10]
c = ssl.create_default_context(cafile=ca)
V = {'1.0': ssl.TLSVersion.TLSv1, '1.1': ssl.TLSVersion.TLSv1_1, '1.2': ssl.TLSVersion.TLSv1_2, '1.3': ssl.TLSVersion.TLSv1_3}
if ciphers: c.set_ciphers(ciphers)
c.minimum_version, c.maximum_version = V[low], V[high]
h = http.client.HTTPSConnection(host, int(port), context=c, timeout=float(wait))
try:
    for n in range(int(count)):
        h.request('GET', path, headers={'Accept': 'application/json'})
        r = h.getresponse()
        print(r.status, len(r.read()))
    h.close()
except Exception as e:
    print(repr(e))
"""


def python(stage, path="/kpfw/v1/health", port=443, name=NAME, ca=ROOTS, tls="1.2-1.3", count=1, wait=20, ciphers="", who="c"):
    versions = span(tls)
    return stage.python(who, PYTHON_CLIENT, name, port, ca, versions[0], versions[-1], path, count, wait, ciphers)


def wget(stage, *options, path="/", port=80, name=NAME, scheme="http", who="c"):
    stage.used("wget")
    return stage.run(who, ["wget", "-q", "-O", "/dev/null", "-t", "1", *options, url(stage, path, port, name, scheme)])


def version(tool):
    """The tool with its version, for the Source line."""
    ask = {"nginx": "nginx -v 2>&1 | sed 's/.*nginx./nginx /'", "haproxy": "haproxy -v | head -1 | cut -d- -f1",
           "openssl": "openssl version | cut -d' ' -f1,2", "gnutls": "gnutls-cli --version | head -1 | sed 's/gnutls-cli/GnuTLS/'",
           "java": "java -version 2>&1 | sed -n 's/.*Environment (build \\([^)]*\\)).*/OpenJDK \\1/p'",
           "node": "echo Node $(node -v | tr -d v)", "python": "python3 -c 'import sys,ssl;print(\"Python\",sys.version.split()[0],\"with\",ssl.OPENSSL_VERSION.rsplit(\" \",3)[0])'",
           "curl": "curl -V | head -1 | sed 's/ (.*OpenSSL./ with OpenSSL /;s/ zlib.*//'", "wget": "wget -V | head -1 | cut -d' ' -f2,3",
           "nftables": "nft --version | cut -d' ' -f1,2", "tcpdump": "tcpdump --version 2>&1 | sed -n 's/tcpdump version/tcpdump/p'",
           "tongsuo": "echo Tongsuo 8.3.2 of tongsuopy 1.0.1", "dnsmasq": "dnsmasq -v | head -1 | cut -d' ' -f1,3",
           "aioquic": "$LAB_PYTHON -c 'import aioquic;print(\"aioquic\",aioquic.__version__)'",
           "h2": "$LAB_PYTHON -c 'import h2;print(\"h2\",h2.__version__)'", "hypercorn": "$LAB_PYTHON -m hypercorn --version | sed -n 's/.*\\([0-9.]\\{5,\\}\\).*/hypercorn \\1/p'",
           "grpcio": "$LAB_PYTHON -c 'import grpc;print(\"grpcio\",grpc.__version__)'", "nghttp2": "nghttpd --version | sed 's/nghttpd //'",
           "keepalived": "keepalived -v 2>&1 | head -1 | cut -d' ' -f1,2",
           "microsocks": "dpkg-query -W -f 'microsocks ${Version}' microsocks", "dante": "dpkg-query -W -f 'Dante ${Version}' dante-server"}
    if tool == "wire":
        return "wire.py"
    if tool not in _VERSIONS:
        _VERSIONS[tool] = subprocess.run(ask[tool], shell=True, capture_output=True, text=True).stdout.strip()
    return _VERSIONS[tool]


_VERSIONS = {}
