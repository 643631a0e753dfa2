"""One end of a TLCP connection (GB/T 38636) by Tongsuo's library, from the wheel `tongsuopy` 1.0.1: its file is argument 1.

    tlcp.py LIB server PORT SIGN.crt SIGN.key ENC.crt ENC.key COUNT
    tlcp.py LIB client HOST PORT CA.crt|none SNI|none
"""
import ctypes
import socket
import sys

lib = ctypes.CDLL(sys.argv[1])
P, I, S = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
for name, result, args in (("NTLS_server_method", P, []), ("NTLS_client_method", P, []), ("SSL_CTX_new", P, [P]), ("SSL_CTX_enable_ntls", None, [P]),
                           ("SSL_CTX_use_sign_certificate_file", I, [P, S, I]), ("SSL_CTX_use_sign_PrivateKey_file", I, [P, S, I]),
                           ("SSL_CTX_use_enc_certificate_file", I, [P, S, I]), ("SSL_CTX_use_enc_PrivateKey_file", I, [P, S, I]),
                           ("SSL_CTX_set_verify", None, [P, I, P]), ("SSL_CTX_load_verify_locations", I, [P, S, S]),
                           ("SSL_CTX_set_cipher_list", I, [P, S]), ("SSL_new", P, [P]), ("SSL_set_fd", I, [P, I]), ("SSL_accept", I, [P]),
                           ("SSL_connect", I, [P]), ("SSL_read", I, [P, P, I]), ("SSL_write", I, [P, S, I]), ("SSL_shutdown", I, [P]),
                           ("SSL_ctrl", ctypes.c_long, [P, I, ctypes.c_long, S]), ("ERR_get_error", ctypes.c_ulong, []),
                           ("ERR_error_string", S, [ctypes.c_ulong, P])):
    one = getattr(lib, name)
    one.restype, one.argtypes = result, args


def why():
    code = lib.ERR_get_error()
    return lib.ERR_error_string(code, None)


def context(method):
    ctx = lib.SSL_CTX_new(method)
    lib.SSL_CTX_enable_ntls(ctx)
    return ctx


def server(port, sign, sign_key, enc, enc_key, count):
    ctx = context(lib.NTLS_server_method())
    for given, use in ((sign, lib.SSL_CTX_use_sign_certificate_file), (sign_key, lib.SSL_CTX_use_sign_PrivateKey_file),
                       (enc, lib.SSL_CTX_use_enc_certificate_file), (enc_key, lib.SSL_CTX_use_enc_PrivateKey_file)):
        if given != "none":
            print(use(ctx, given.encode(), 1))
    lib.SSL_CTX_set_cipher_list(ctx, b"ECC-SM2-SM4-CBC-SM3")
    s = socket.socket(socket.AF_INET6)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("::", int(port)))
    s.listen()
    for _ in range(int(count)):
        c, _ = s.accept()
        ssl = lib.SSL_new(ctx)
        lib.SSL_set_fd(ssl, c.fileno())
        if lib.SSL_accept(ssl) == 1:
            room = ctypes.create_string_buffer(4096)
            lib.SSL_read(ssl, room, 4096)
            answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
            lib.SSL_write(ssl, answer, len(answer))
            lib.SSL_shutdown(ssl)
        else:
            print("server", why(), flush=True)
        c.close()


def client(host, port, ca, sni):
    ctx = context(lib.NTLS_client_method())
    lib.SSL_CTX_set_cipher_list(ctx, b"ECC-SM2-SM4-CBC-SM3")
    if ca != "none":
        lib.SSL_CTX_load_verify_locations(ctx, ca.encode(), None)
        lib.SSL_CTX_set_verify(ctx, 1, None)
    c = socket.create_connection((host, int(port)), timeout=None)
    ssl = lib.SSL_new(ctx)
    if sni != "none":
        lib.SSL_ctrl(ssl, 55, 0, sni.encode())
    lib.SSL_set_fd(ssl, c.fileno())
    if lib.SSL_connect(ssl) == 1:
        asked = b"GET /AuthLogin.auth HTTP/1.1\r\nHost: a\r\n\r\n"
        lib.SSL_write(ssl, asked, len(asked))
        room = ctypes.create_string_buffer(4096)
        print("client read", lib.SSL_read(ssl, room, 4096))
        lib.SSL_shutdown(ssl)
    else:
        print("client", why())
    c.close()


(server if sys.argv[2] == "server" else client)(*sys.argv[3:])
