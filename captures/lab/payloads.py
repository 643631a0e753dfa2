"""Captures of business messages in plain HTTP: return codes, versions, digests, lost sessions, queries without an end.
The services are named as the built-in endpoint rules know them, in the Host field; they stand in the lab."""
from xml.sax.saxutils import escape

from actors import *  # noqa: F403
from bodies import gives, quiet, told
from compared import get, server, session
from http_answers import plain

JSON = {"Content-Type": "application/json; charset=utf-8", "Accept": "application/json"}
XML = {"Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml"}


def ask(path, body="", host=None, kind=JSON, pause=0):
    """One request; a body makes it a POST."""
    return [pause, "POST" if body else "GET", path, body, {**kind, **({"Host": host} if host else {})}]


# status-stuck: an invoice service is asked for one serial number again and again.
QUERY = '{"serialNos":["26112400007"]}'
STATE = '\'{"code":"E0000","describe":"获取成功","result":[{"serialNo":"26112400007","status":"%s","statusMsg":"%s"}]}\''


def polled(times, every, body=QUERY):
    return session([ask("/open/v1/services", body, "sdk.nuonuo.com", pause=every if n else 0) for n in range(times)], keep=False)


told("status-stuck", "issuing-for-11-min", "a Python client asks every 61 s for one serial number; the invoice stays 'being issued' for eleven minutes",
     gives(STATE % ("20", "开票中")), polled(12, 61))
told("status-stuck", "signing-every-55-s-ipv6", "the invoice stays 'being signed', asked for twelve times over ten minutes and more, over IPv6",
     gives(STATE % ("21", "开票成功签章中"), port=80), session([ask("/open/v1/services", QUERY, "sdk.nuonuo.com", pause=55.5 if n else 0) for n in range(12)], 80), ip6=True)
quiet("status-stuck", "ends-at-last", "the same, but the twelfth answer says that the invoice is issued",
      server(f"    return '200 OK', 'Content-Type: application/json\\r\\n', {STATE} % (('20', '开票中') if n < 12 else ('2', '开票完成'))"), polled(12, 61))
quiet("status-stuck", "twelve-in-one-minute", "the invoice is asked for twelve times within a minute and still being issued: not long yet",
      gives(STATE % ("20", "开票中")), polled(12, 5))
quiet("status-stuck", "each-time-another-serial", "twelve invoices are asked for once each over eleven minutes, all still being issued",
      server("    serial = body.decode().split('\"')[3]\n    return '200 OK', 'Content-Type: application/json\\r\\n', "
             "'{\"code\":\"E0000\",\"describe\":\"ok\",\"result\":[{\"serialNo\":\"' + serial + '\",\"status\":\"20\",\"statusMsg\":\"开票中\"}]}'"),
      session([ask("/open/v1/services", '{"serialNos":["261124000%02d"]}' % n, "sdk.nuonuo.com", pause=61 if n else 0) for n in range(12)], keep=False))


def nginx_says(body, kind="application/json", port=8080):
    """nginx answers everything with one body."""
    return plain(port, locations=f"location / {{ default_type {kind}; return 200 '{body}'; }}")


def interface(code="0000", message="success", version="2.0", root="DZFP1.0", content="", zipped=0, encrypted=0, declared="1.0"):
    """The XML message of an invoicing platform."""
    data = (f"<Data><dataDescription><zipCode>{zipped}</zipCode><encryptCode>{encrypted}</encryptCode><codeType>0</codeType></dataDescription>"
            f"<content>{content}</content></Data>") if content else "<Data/>"
    return (f'<?xml version="{declared}" encoding="UTF-8"?><interface version="{root}"><globalInfo><terminalCode>0</terminalCode><appId>ZZS_PT_DZFP</appId>'
            f"<version>{version}</version><interfaceCode>ECXML.FPKJ.BC.E_INV</interfaceCode></globalInfo>"
            f"<returnStateInfo><returnCode>{code}</returnCode><returnMessage>{message}</returnMessage></returnStateInfo>{data}</interface>")


def wrapped(text, zip=False, charset="utf-8"):
    import base64, gzip
    data = text.encode(charset)
    return base64.b64encode(gzip.compress(data, mtime=0) if zip else data).decode()


SOAP = ('<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"><soapenv:Body><doService><in0>%s</in0></doService></soapenv:Body></soapenv:Envelope>')
SENT = interface(code="", message="").replace("<returnStateInfo><returnCode></returnCode><returnMessage></returnMessage></returnStateInfo>", "")
NUONUO = "sdk.nuonuo.com"
DPPT = "dppt.guangdong.chinatax.gov.cn:8080"
LEQI = "/access/v2/invoke/QDFPSC/YPLKJ"
one = lambda *a, port=8080, **k: session([ask(*a, **k)], port)   # noqa: E731

# business-error
told("business-error", "json-nuonuo-nginx", "nginx answers 200 and JSON with code E9500", nginx_says('{"code":"E9500","describe":"商品税率不合法","result":null}'),
     one("/open/v1/services", '{"order":{"orderNo":"26112400007"}}', host=NUONUO))
told("business-error", "xml-message-base64-ipv6", "an invoicing platform's XML with returnCode 9999 and its message in base64, over IPv6",
     gives(repr(interface("9999", wrapped("纳税人识别号不存在"))), kind="text/xml;charset=utf-8", port=80), one("/sajt-shdzfp-sl-http/SvrServlet", SENT, kind=XML, port=80), ip6=True)
told("business-error", "soap-inner-gzip", "SOAP around the platform's XML, whose content is base64 of gzip; the return code of the message inside is B80046",
     gives(repr(SOAP % escape(interface(content=wrapped('<business id="HX_FPMXSC" comment="upload" version="2.0"><body count="1"><group xh="1"><data name="returnCode" value="B80046"/><data name="returnMessage" value="未查询到"/></group></body></business>', zip=True), zipped=1))), kind="text/xml"),
     one("/axis2/services/SajtIssueInvoiceService", SOAP % escape(SENT), kind=XML))
told("business-error", "gbk-xml-curl", "a tax client's server answers curl in GBK: code 91000000",
     gives("'<?xml version=\"1.0\" encoding=\"GBK\"?><output><group xh=\"1\"><returncode>91000000</returncode><returnmsg>发票脱包失败，接收到的报文非法。</returnmsg></group></output>'.encode('gbk')", kind="text/xml;charset=GBK"),
     get("/InvUploadHandler.ashx"))
told("business-error", "base64-gbk-package", "the access server's reply is base64 of GBK XML with responseCode -3, without a declared type",
     gives("__import__('base64').b64encode('<?xml version=\"1.0\" encoding=\"GBK\"?><tripTechnologyPackage version=\"1.0\"><responseCode>-3</responseCode><responseMessage>验签失败</responseMessage></tripTechnologyPackage>'.encode('gbk'))", kind="text/plain"),
     one("/skfp/upload", "cGFja2FnZQ==", host="skfp.beijing.chinatax.gov.cn:8080", kind={"Content-Type": "application/octet-stream"}))
told("business-error", "login-error-97", "the login of a tax disk is answered ERROR@97@ in plain text",
     gives(repr("ERROR@97@证书已作废"), kind="text/html;charset=utf-8"), one("/AuthLogin.auth", "type=client-hello&client-hello=3f2a", host="skfp.jiangsu.chinatax.gov.cn:8080", kind={"Content-Type": "application/x-www-form-urlencoded"}))
told("business-error", "json-in-json-chunked", "a gateway wraps the service's JSON as text in its own, gzipped and in chunks",
     server("    import gzip, json\n    body = gzip.compress(json.dumps({'httpStatusCode': '200', 'body': json.dumps({'Response': {'Error': {'Code': 'GT4-1201', 'Message': '额度不足'}}})}).encode())\n"
            "    return b'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Encoding: gzip\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n' + b'%x\\r\\n' % len(body) + body + b'\\r\\n0\\r\\n\\r\\n'"),
     one(LEQI, '{"a":1}', host="lqpt.chinatax.gov.cn"))
told("business-error", "array-second-fails", "two invoices in one upload: the first is taken, the second refused",
     gives(repr('<?xml version="1.0"?><business id="HX" version="2.0"><body count="2"><group xh="1"><data name="returnCode" value="00"/></group><group xh="2"><data name="returnCode" value="0105"/><data name="returnMessage" value="发票已上传"/></group></body></business>'), kind="application/xml"),
     one("/upload", '<business id="HX" version="2.0"><body count="2"/></business>', kind=XML))
SUCCESS = [NUONUO, "openapi.esign.cn", "openapi.baiwang.com", DPPT, "lqpt.chinatax.gov.cn"]
quiet("business-error", "success-codes", "E0000, 0, true, no Error and 00, each as its service says it",
      server("    all = ['{\"code\":\"E0000\",\"describe\":\"调用成功\"}', '{\"code\":0,\"message\":\"成功\"}', '{\"success\":true,\"response\":{}}', '{\"Response\":{\"RequestId\":\"a\",\"Error\":null,\"Data\":{}}}', '{\"returncode\":\"00\",\"returnmsg\":\"成功\"}']\n"
             "    return '200 OK', 'Content-Type: application/json\\r\\n', all[n - 1]"),
      session([ask(f"/v3/call/{n}", '{"a":%d}' % n, host) for n, host in enumerate(SUCCESS)]))
quiet("business-error", "no-rule", "a service that no rule knows answers code 9999: what it means nobody said",
      nginx_says('{"code":"9999","msg":"out of range"}'), one("/api/issue", '{"a":1}'))
quiet("business-error", "code-of-another-meaning", "the code in these answers is a postal code, an item's code, the code of a list's rows; the return code is a success",
      server("    all = ['{\"code\":\"E0000\",\"describe\":\"ok\",\"result\":{\"code\":\"510000\",\"returnCode\":\"9\"}}', '{\"code\":\"510000\",\"city\":\"guangzhou\"}', '{\"data\":[{\"code\":\"1090522\"}]}']\n"
             "    return '200 OK', 'Content-Type: application/json\\r\\n', all[n - 1]"),
      session([ask(f"/open/v1/services?{n}", '{"a":%d}' % n, NUONUO) for n in range(3)]))
quiet("business-error", "xml-0000", "the platform's XML with returnCode 0000, its content wrapped", gives(repr(interface(content=wrapped("<REQUEST><FPHM>12345678</FPHM></REQUEST>"))), kind="text/xml"),
      one("/sajt-shdzfp-sl-http/SvrServlet", SENT, kind=XML))
quiet("business-error", "content-encrypted", "the content is a cipher by its flag: counted, not read", gives(repr(interface(content="f7GxkYt2Ww==", encrypted=2)), kind="text/xml"),
      one("/sajt-shdzfp-sl-http/SvrServlet", SENT, kind=XML))

# session-expired
told("session-expired", "jsonp-key1-09", "the confirmation platform answers JSONP with key1 09", gives(repr('jQuery1710_1732430000({"key1":"09","key2":"会话超时"})'), kind="text/javascript;charset=utf-8"),
     one("/NSbsqWW/qrgx.do?callback=jQuery1710_1732430000&cert=1", host="fpdk.beijing.chinatax.gov.cn:8080", kind={"Accept": "*/*"}))
told("session-expired", "json-token-100002-ipv6", "an open platform says that the token expired: 100002, over IPv6", gives(repr('{"success":false,"errorResponse":{"code":"100002","message":"token已过期"}}'), port=80),
     one("/router/rest?method=baiwang.output.invoice.issue&version=6.0", '{"a":1}', host="openapi.baiwang.com", port=80), ip6=True)
told("session-expired", "address-nonlogin-nginx", "nginx gives the invoice platform's answer that points to its login", nginx_says('{"Response":{"RequestId":"a1","Error":null,"Data":{"Address":"https://tpass.example/nonlogin","CodeMsg":"N"}}}'),
     one("/kpfw/v1/query", '{"a":1}', host=DPPT))
quiet("session-expired", "key1-01", "the same call while the login lasts", gives(repr('jQuery1710_1732430001({"key1":"01","key2":"0~120"})'), kind="text/javascript;charset=utf-8"),
      one("/NSbsqWW/qrgx.do?callback=jQuery1710_1732430001", host="fpdk.beijing.chinatax.gov.cn:8080", kind={"Accept": "*/*"}))
quiet("session-expired", "key1-09-elsewhere", "key1 is 09 at a host that no rule knows", nginx_says('{"key1":"09","key2":"ok"}'), one("/list", '{"a":1}'))

# version-mismatch
told("version-mismatch", "interface-1-asked-2-answered", "asked in DZFP1.0, answered in DZFP2.0 with a failure code", gives(repr(interface("9999", "format", root="DZFP2.0")), kind="text/xml"),
     one("/sajt-shdzfp-sl-http/SvrServlet", SENT, kind=XML))
told("version-mismatch", "business-1-0-2-0-ipv6", "the tax client sends version 1.0, the server answers in 2.0, over IPv6",
     gives(repr('<?xml version="1.0"?><business id="HX_FPMXSC" version="2.0"><body count="1"><group xh="1"><data name="returnCode" value="00"/></group></body></business>'), kind="text/xml", port=80),
     one("/upload", '<?xml version="1.0"?><business id="HX_FPMXSC" version="1.0"><body count="1"/></business>', kind=XML, port=80), ip6=True)
told("version-mismatch", "message-not-supported", "the platform refuses the version in words, in base64", gives(repr(interface("9999", wrapped("接口版本2.0不支持,请升级"))), kind="text/xml"),
     one("/sajt-shdzfp-sl-http/SvrServlet", SENT, kind=XML))
quiet("version-mismatch", "same-version", "asked and answered in the same versions; another field called version differs",
      gives(repr(interface(content=wrapped('<app version="9.1"><a/></app>'))), kind="text/xml"), one("/sajt-shdzfp-sl-http/SvrServlet", SENT, kind=XML))
quiet("version-mismatch", "no-rule", "request and answer of an unknown service carry different versions", nginx_says('{"version":"3.1","ok":true}'), one("/api/query", '{"version":"2.0","a":1}'))


def package(data, digest, zipped="N", what="INPUT"):
    return (f"<ZZSFPXT><SK_TYPE>JSP</SK_TYPE><OP_TYPE>0003</OP_TYPE><{what}><NSRSBH>91440300EXAMPLE17</NSRSBH><YSBZ>{zipped}</YSBZ>"
            f"<DATA>{data}</DATA><CRC>{digest}</CRC></{what}></ZZSFPXT>")


def md5(text):
    import base64, hashlib
    return hashlib.md5(base64.b64decode(text)).hexdigest()


DATA = wrapped("<FPXT><INPUT><FPHM>12345678</FPHM></INPUT></FPXT>", charset="gbk")
ANSWER = '<?xml version="1.0"?><ZZSFPXT><responseCode>0</responseCode><responseMessage>ok</responseMessage></ZZSFPXT>'
# digest-mismatch
told("digest-mismatch", "request-crc", "the client's package carries the MD5 of other data", gives(repr(ANSWER), kind="text/xml"),
     one("/uploadService", package(DATA, md5(wrapped("old"))), kind=XML))
told("digest-mismatch", "response-crc-ipv6", "the answer's DATA was cut after its MD5 was made, over IPv6", gives(repr(package(DATA[:-8], md5(DATA), what="OUTPUT")), kind="text/xml", port=80),
     one("/downloadService", package(DATA, md5(DATA)), kind=XML, port=80), ip6=True)
quiet("digest-mismatch", "md5-of-bytes-and-of-text", "MD5 of the decoded bytes in the request, of the text as it stands in the answer",
      gives(repr(package(DATA, __import__("hashlib").md5(DATA.encode()).hexdigest().upper(), what="OUTPUT")), kind="text/xml"), one("/uploadService", package(DATA, md5(DATA)), kind=XML))
quiet("digest-mismatch", "gzip-md5-of-plain", "compressed and then encoded; the MD5 is that of the plain text",
      gives(repr(package(wrapped("<a>1</a>", zip=True), __import__("hashlib").md5(b"<a>1</a>").hexdigest(), "Y", "OUTPUT")), kind="text/xml"), one("/downloadService", package(DATA, md5(DATA)), kind=XML))
quiet("digest-mismatch", "no-digest", "the field is a serial number as long as no digest", gives(repr(package(DATA, "2611240000700001", what="OUTPUT")), kind="text/xml"), one("/downloadService", package(DATA, md5(DATA)), kind=XML))

# payload-undecodable, within a message
told("payload-undecodable", "inner-zip-flag-plain", "zipCode says gzip, the content is plain base64", gives(repr(interface(content=wrapped("<a>1</a>"), zipped=1)), kind="text/xml"),
     one("/sajt-shdzfp-sl-http/SvrServlet", SENT, kind=XML))
told("payload-undecodable", "inner-no-base64-ipv6", "the content holds bytes that base64 does not have, over IPv6", gives(repr(interface(content="%7B%22a%22%3A1%7D")), kind="text/xml", port=80),
     one("/sajt-shdzfp-sl-http/SvrServlet", SENT, kind=XML, port=80), ip6=True)
quiet("payload-undecodable", "inner-zipped", "zipCode says gzip, and it is", gives(repr(interface(content=wrapped("<a>1</a>", zip=True), zipped=1)), kind="text/xml"), one("/sajt-shdzfp-sl-http/SvrServlet", SENT, kind=XML))
