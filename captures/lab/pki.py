#!/usr/bin/env python3
"""The lab's certificates: roots, intermediates and leaves of every kind the captures need.

Made once with the openssl command line and kept in `.pki/` (not committed: it holds private keys);
the public roots that count as trusted are added to `roots.pem`. A rerun on an empty `.pki/` makes new
keys and adds their roots; those of before stay, since captures made with them still chain to them.
"""
import datetime
import pathlib
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
DIR = HERE / ".pki"
NOW = datetime.datetime.now(datetime.timezone.utc)

NAMES = ["dppt.beijing.chinatax.gov.cn", "tpass.beijing.chinatax.gov.cn", "etax.beijing.chinatax.gov.cn",
         "dppt.shanghai.chinatax.gov.cn", "etax.zhejiang.chinatax.gov.cn", "skfp.guangdong.chinatax.gov.cn",
         "lqpt.chinatax.gov.cn", "inv-veri.chinatax.gov.cn", "openapi.einvoice.example", "api.einvoice.example"]

CA_CONF = """[ca]
default_ca = lab
[lab]
database = {dir}/index.txt
new_certs_dir = {dir}/issued
rand_serial = yes
unique_subject = no
default_md = sha256
default_days = 365
policy = any
email_in_dn = no
[any]
countryName = optional
organizationName = optional
commonName = supplied
"""


def sh(*argv):
    """Runs openssl and stops with its own words where it fails."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, argv))}\n{done.stderr}")


def stamp(days):
    """The moment `days` from now as openssl writes it."""
    return (NOW + datetime.timedelta(days=days)).strftime("%Y%m%d%H%M%SZ")


def key(name, kind="rsa:2048"):
    path = DIR / f"{name}.key"
    if not path.exists():
        algorithm, size = kind.split(":")
        option = f"rsa_keygen_bits:{size}" if algorithm == "rsa" else f"ec_paramgen_curve:{size}"
        sh("openssl", "genpkey", "-algorithm", algorithm, "-pkeyopt", option, "-out", path)
    return path


def issue(name, subject, issuer, start, end, ext, keyname=None, kind="rsa:2048", md="sha256", sign=()):
    """Signs one certificate; `issuer` None signs itself. Returns its path."""
    crt = DIR / f"{name}.crt"
    private = key(keyname or name, kind)
    csr, extfile = DIR / f"{name}.csr", DIR / f"{name}.ext"
    extfile.write_text(ext)
    sh("openssl", "req", "-new", "-key", private, "-subj", subject, "-out", csr)
    signer = ["-selfsign", "-keyfile", private] if issuer is None else \
        ["-cert", DIR / f"{issuer}.crt", "-keyfile", DIR / f"{issuer}.key"]
    sh("openssl", "ca", "-batch", "-notext", "-config", DIR / "ca.cnf", "-in", csr, "-out", crt, "-md", md,
       "-startdate", stamp(start), "-enddate", stamp(end), "-extfile", extfile, *signer, *sign)
    csr.unlink()
    extfile.unlink()
    return crt


CA_EXT = ("basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
          "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n")


def authority(name, common_name, issuer=None, start=-400, end=5000, organization="Lab Trust Services", **more):
    return issue(name, f"/C=CN/O={organization}/CN={common_name}", issuer, start, end, CA_EXT, **more)


def leaf(name, issuer, start=-60, end=330, names=None, common_name=None, usage="serverAuth", san=True, aki=True, **more):
    names = names or NAMES
    ext = f"basicConstraints=CA:FALSE\nkeyUsage=digitalSignature,keyEncipherment\nextendedKeyUsage={usage}\n"
    ext += "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=" + ("keyid\n" if aki and issuer else "none\n")
    if san:
        ext += "subjectAltName=" + ",".join(f"DNS:{n}" for n in names) + "\n"
    subject = f"/C=CN/O=Lab Invoice Platform/CN={common_name or names[0]}"
    more.setdefault("keyname", "leaf-rsa")
    return issue(name, subject, issuer, start, end, ext, **more)


def tamper(source, name):
    """Copies a certificate with the last byte of its signature changed."""
    der = DIR / f"{name}.der"
    sh("openssl", "x509", "-in", DIR / f"{source}.crt", "-outform", "DER", "-out", der)
    raw = bytearray(der.read_bytes())
    raw[-1] ^= 0x5A
    der.write_bytes(raw)
    sh("openssl", "x509", "-inform", "DER", "-in", der, "-out", DIR / f"{name}.crt")


def chain(name, *certificates):
    """Writes `name.pem`: the certificates in the order in which a server sends them."""
    (DIR / f"{name}.pem").write_text("".join((DIR / f"{c}.crt").read_text() for c in certificates))


def trust(store, roots):
    """Adds to the file `store` those of the PEM certificates `roots` that it lacks."""
    known = store.read_text() if store.exists() else ""
    end = "-----END CERTIFICATE-----\n"
    new = [root + end for root in roots.split(end)[:-1] if root + end not in known]
    store.write_text(known + "".join(new))


def build():
    DIR.mkdir()
    (DIR / "issued").mkdir()
    (DIR / "index.txt").touch()
    (DIR / "ca.cnf").write_text(CA_CONF.format(dir=DIR))
    authority("root-rsa", "Lab Trust Root RSA")
    authority("root-ec", "Lab Trust Root EC", kind="ec:P-256")
    authority("root-sha1", "Lab Legacy Root", md="sha1")
    authority("root-private", "Office Private Root", organization="Example Office")
    authority("root-old", "Lab Retired Root", start=-4000, end=-54)
    authority("root-other", "Another Trust Root", organization="Another Trust")
    authority("ca-rsa", "Lab Issuing CA G1", "root-rsa")
    authority("ca-ec", "Lab Issuing CA E1", "root-ec", kind="ec:P-256")
    authority("ca-sha1root", "Lab Issuing CA L1", "root-sha1")
    authority("ca-private", "Office Issuing CA", "root-private", organization="Example Office")
    authority("ca-expired", "Lab Issuing CA G0", "root-rsa", start=-1500, end=-4)
    authority("ca-future", "Lab Issuing CA G2", "root-rsa", start=3, end=2000)
    authority("ca-other", "Another Issuing CA", "root-other", organization="Another Trust")
    authority("root-ec-cross", "Lab Trust Root EC", "root-old", keyname="root-ec", start=-3000, end=-54)
    # Same name as ca-rsa, another key: signatures made with it do not verify under the real one.
    authority("ca-impostor", "Lab Issuing CA G1", "root-private")
    leaf("good", "ca-rsa")
    leaf("good-ec", "ca-ec", keyname="leaf-ec", kind="ec:P-256")
    leaf("good-direct", "root-rsa")
    leaf("expired", "ca-rsa", -370, -5)
    leaf("expired-hours", "ca-ec", -90, -0.1, keyname="leaf-ec")
    leaf("under-expired", "ca-expired")
    leaf("future", "ca-rsa", 0.3, 365)
    leaf("future-ec", "ca-ec", 12, 380, keyname="leaf-ec")
    leaf("under-future", "ca-future")
    leaf("expiring", "ca-rsa", -356, 9)
    leaf("expiring-90", "ca-ec", -72, 18, keyname="leaf-ec")
    leaf("short-lived", "ca-ec", -1.5, 4.5, keyname="leaf-ec")
    leaf("private", "ca-private")
    leaf("other", "ca-other")
    leaf("self", None, san=True)
    leaf("self-ec", None, names=["localhost.localdomain"], keyname="leaf-ec")
    leaf("misnamed", "ca-rsa", names=["www.hosting.example", "hosting.example"])
    leaf("wildcard", "ca-rsa", names=["*.chinatax.gov.cn", "chinatax.gov.cn"])
    leaf("wildcard-good", "ca-rsa", names=["*.beijing.chinatax.gov.cn"])
    leaf("cn-only", "ca-rsa", names=["dppt.beijing.chinatax.gov.cn"], san=False)
    leaf("sha1", "ca-rsa", md="sha1")
    leaf("md5", "ca-rsa", md="md5")
    leaf("rsa1024", "ca-rsa", keyname="leaf-rsa1024", kind="rsa:1024")
    leaf("ec192", "ca-ec", keyname="leaf-ec192", kind="ec:prime192v1")
    leaf("under-sha1root", "ca-sha1root")
    leaf("impostor", "ca-impostor", aki=False)
    leaf("client", "ca-private", names=["91110000MA00000000"], usage="clientAuth", keyname="client")
    leaf("client-expired", "ca-private", -400, -10, names=["91110000MA00000001"], usage="clientAuth", keyname="client")
    leaf("big", "ca-rsa", names=NAMES + [f"node{n:03}.platform-of-the-province.einvoice.example" for n in range(90)])
    tamper("good", "tampered")
    tamper("ca-rsa", "tampered-ca")
    for name, issuer in {"good": "ca-rsa", "good-ec": "ca-ec", "expired": "ca-rsa", "expired-hours": "ca-ec",
                         "under-expired": "ca-expired", "future": "ca-rsa", "future-ec": "ca-ec",
                         "under-future": "ca-future", "expiring": "ca-rsa", "expiring-90": "ca-ec",
                         "short-lived": "ca-ec", "private": "ca-private", "other": "ca-other",
                         "misnamed": "ca-rsa", "wildcard": "ca-rsa", "wildcard-good": "ca-rsa",
                         "cn-only": "ca-rsa", "sha1": "ca-rsa", "md5": "ca-rsa", "rsa1024": "ca-rsa",
                         "ec192": "ca-ec", "under-sha1root": "ca-sha1root", "impostor": "ca-rsa",
                         "client": "ca-private", "client-expired": "ca-private", "big": "ca-rsa",
                         "tampered": "ca-rsa"}.items():
        chain(name, name, issuer)
    chain("good-bare", "good")
    chain("good-ec-bare", "good-ec")
    chain("good-wrong-issuer", "good", "ca-ec")
    chain("good-reversed", "good", "root-rsa", "ca-rsa")
    chain("good-with-root", "good", "ca-rsa", "root-rsa")
    chain("under-expired-with-root", "under-expired", "ca-expired", "root-rsa")
    chain("good-direct", "good-direct")
    chain("cross", "good-ec", "ca-ec", "root-ec-cross")
    chain("self", "self")
    chain("self-ec", "self-ec")
    chain("private-with-root", "private", "ca-private", "root-private")
    chain("sha1-root-sent", "under-sha1root", "ca-sha1root", "root-sha1")
    chain("under-tampered-ca", "good", "tampered-ca")
    chain("trusted", "root-rsa", "root-ec", "root-sha1")
    chain("two-of-one-name", "good", "ca-impostor", "ca-rsa")
    chain("tampered-surplus", "good", "ca-rsa", "tampered-ca")
    pss = ("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest")
    authority("root-pss", "Lab Root PSS", md="sha384", sign=pss)
    authority("ca-pss", "Lab Issuing CA P1", "root-pss", md="sha384", sign=pss)
    leaf("pss", "ca-pss", md="sha384", sign=pss)
    chain("pss-with-root", "pss", "ca-pss", "root-pss")
    chain("ca-rsa-store", "ca-rsa", "root-rsa")
    chain("everything", "root-rsa", "root-ec", "root-sha1", "root-private", "root-other")
    trust(HERE / "roots.pem", (DIR / "trusted.pem").read_text())


def national():
    """Roots of SM2 with SM3: one that is trusted, and one that is not."""
    for name, common in (("gm-root", "Lab GM Root G1"), ("gm-other", "Lab GM Other Root")):
        sh("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:SM2", "-out", DIR / f"{name}.key")
        sh("openssl", "req", "-x509", "-new", "-key", DIR / f"{name}.key", "-sm3", "-sigopt", "distid:1234567812345678",
           "-subj", f"/C=CN/O=Lab GM/CN={common}", "-days", "5000", "-out", DIR / f"{name}.crt",
           "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign,cRLSign")
    trust(HERE / "roots.pem", (DIR / "gm-root.crt").read_text())


def ensure():
    """Builds the certificates where there are none yet."""
    if not DIR.exists():
        build()
    if not (DIR / "gm-root.crt").exists():
        national()


if __name__ == "__main__":
    ensure()
    print(f"{len(list(DIR.glob('*.crt')))} certificates in {DIR}")
