"""Captures of plain HTTP whose bodies are not what they are declared to be."""
from actors import *  # noqa: F403
from compared import JSON_KIND, get, server, session
from http_answers import BODY, plain
from tls_cert import case

XML_KIND = {"Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml"}
ASK = [0, "GET", "/kpfw/v1/list", "", {"Accept": "application/json"}]
SOAP = '<?xml version="1.0" encoding="UTF-8"?><interface version="DZFP1.0"><globalInfo><requestCode>17</requestCode></globalInfo></interface>'


def told(code_, name, shows, server_, client, also=(), **more):
    case(f"data/{code_}/{name}", [f"data.{code_}", *also], shows, server_, client, filter="http", **more)


def quiet(code_, name, shows, server_, client, expect=(), **more):
    case(f"data/{code_}/not-{name}", list(expect), shows, server_, client, filter="http", **more)


def gives(body, kind="application/json", extra="", status="200 OK", port=8080, before=""):
    """A server that answers with these bytes, written as a Python expression."""
    lines = f"{before}    return '{status}', 'Content-Type: {kind}\r\n{extra}', {body}"
    return server(lines.replace("\r\n", "\\r\\n"), port)


def large(st):
    """nginx with a file of 30 kB, gzipped and so in chunks."""
    items = ",".join('{"serial":"2611240000%d"}' % n for n in range(1200))
    big = st.write("big.json", "[" + items + "]")
    nginx(st, port=8080, secure=False, http="gzip on; gzip_types application/json; gzip_min_length 10;",
          locations=f"location = /kpfw/v1/list {{ default_type application/json; alias {big}; }}")
    st.dir.chmod(0o755)


# json-malformed
told("json-malformed", "cut-by-the-application", "the service ends its JSON in the middle, its length is right",
     gives(repr('{"code":"0000","data":{"list":[{"serial":"26112400001"},{"serial":"26')), session([ASK]))
told("json-malformed", "single-quotes-ipv6", "a script writes a dictionary with single quotes and calls it JSON, over IPv6",
     gives(repr("{'code': '0000', 'message': 'ok'}"), kind="application/json;charset=UTF-8", port=80), session([ASK], 80), ip6=True)
told("json-malformed", "request-refused-400", "the client sends JSON with a lacking brace and is answered 400",
     server("    return '400 Bad Request', 'Content-Type: application/json\\r\\n', '{\"code\":\"4001\"}'"),
     session([[0, "POST", "/kpfw/v1/issue", BODY[:-1] + ',"items":[{"name":"a"}', JSON_KIND]]))
told("json-malformed", "warning-before-it-gzip", "PHP writes a notice before the JSON; the body is gzipped",
     gives("__import__('gzip').compress(b'Notice: Undefined index: nsrsbh in /srv/api.php on line 17\\n{\"code\":\"0\"}')", extra="Content-Encoding: gzip\r\n"), session([ASK]))
quiet("json-malformed", "bom-guard-jsonp", "JSON behind a byte order mark, behind a guard, and as JSONP under the name of JSON",
      server("    kind = 'Content-Type: application/json\\r\\n'\n"
             "    return '200 OK', kind, [b'\\xef\\xbb\\xbf{\"a\":1}', b\")]}',\\n[1,2]\", b'jQuery1710_17({\"key1\":\"01\"})'][n - 1]"),
      session([[0.1, "GET", f"/fpdk/{n}", "", {"Accept": "application/json"}] for n in range(3)]))
quiet("json-malformed", "cut-by-the-close", "the server closes before the declared length: the body never came in full",
      server("    return b'HTTP/1.1 200 OK\\r\\nContent-Type: application/json\\r\\nContent-Length: 400\\r\\n\\r\\n{\"code\":\"0000\",\"data\":['"), session([ASK]),
      expect=["application.response-truncated"])
quiet("json-malformed", "chunked-and-large", "30 kB of sound JSON in chunks",
      large,
      get("/kpfw/v1/list", 8080, "--compressed", "-H", "Accept: application/json"))

# xml-malformed
told("xml-malformed", "tag-not-closed", "the answer's XML ends before its root element does",
     gives(repr('<?xml version="1.0" encoding="UTF-8"?><interface><returnStateInfo><returnCode>0000</returnCode></interface>'), kind="text/xml;charset=utf-8"),
     session([[0, "POST", "/axis2/services/issue", SOAP, XML_KIND]]))
told("xml-malformed", "ampersand-ipv6", "a company's name with a bare ampersand, over IPv6",
     gives(repr('<?xml version="1.0"?><r><buyer>Smith & Sons</buyer></r>'), kind="application/xml"), session([[0, "POST", "/axis2/issue", SOAP, XML_KIND]]), ip6=True)
told("xml-malformed", "line-before-declaration", "an empty line stands before the XML declaration",
     gives(repr('\n<?xml version="1.0" encoding="UTF-8"?><r><code>0</code></r>'), kind="text/xml"), session([[0, "POST", "/axis2/issue", SOAP, XML_KIND]]))
told("xml-malformed", "request-two-roots", "the client sends two documents in one body; the service answers 200 with an error of its own",
     gives(repr('<r><returncode>91000000</returncode></r>'), kind="text/xml"), session([[0, "POST", "/axis2/issue", "<a>1</a><a>2</a>", XML_KIND]]))
quiet("xml-malformed", "entities-and-cdata", "comments, CDATA, references and a declared entity are XML",
      gives(repr('<?xml version="1.0"?><!DOCTYPE r [<!ENTITY co "Co">]><r><!-- & --><a>&co; &amp; &#20844;</a><b><![CDATA[<x> & ]]></b></r>\n'), kind="text/xml"),
      session([[0, "POST", "/axis2/issue", SOAP, XML_KIND]]))
quiet("xml-malformed", "gbk-declared", "GBK in the body, as the XML declaration says",
      gives("'<?xml version=\"1.0\" encoding=\"GBK\"?><r><m>开票成功</m></r>'.encode('gbk')", kind="text/xml"), session([[0, "POST", "/axis2/issue", SOAP, XML_KIND]]))

# charset-mismatch
told("charset-mismatch", "gbk-called-utf-8", "the answer is GBK, its Content-Type says UTF-8",
     gives("'{\"code\":\"0000\",\"message\":\"开票成功\"}'.encode('gbk')", kind="application/json;charset=UTF-8"), session([ASK]))
told("charset-mismatch", "utf-8-called-gbk-ipv6", "the XML declaration says GBK, the bytes are UTF-8, over IPv6",
     gives("'<?xml version=\"1.0\" encoding=\"GBK\"?><r><m>发票号</m></r>'.encode()", kind="text/xml"), session([[0, "POST", "/axis2/issue", SOAP, XML_KIND]]), ip6=True)
told("charset-mismatch", "gbk-json-undeclared", "JSON in GBK without a word about it: JSON is UTF-8",
     gives("'{\"errcode\":\"100001\",\"description\":\"令牌已过期\"}'.encode('gbk')"), session([ASK]))
quiet("charset-mismatch", "declared-gbk", "GBK declared in the field, and a GB18030 body of four-byte characters",
      server("    return '200 OK', 'Content-Type: application/json; charset=' + ['GBK', 'gb18030'][n - 1] + '\\r\\n', '{\"m\":\"开票𠀀\"}'.replace('𠀀', '' if n == 1 else '𠀀').encode('gb18030')"),
      session([ASK, ASK]))
quiet("charset-mismatch", "field-outranks-declaration", "the field says UTF-8, the XML declaration GBK; the bytes are UTF-8",
      gives("'<?xml version=\"1.0\" encoding=\"GBK\"?><r><m>发票</m></r>'.encode()", kind="text/xml; charset=utf-8"), session([[0, "POST", "/axis2/issue", SOAP, XML_KIND]]))

# payload-undecodable
told("payload-undecodable", "gzip-declared-plain-sent", "a filter took the compression off and left the field: plain JSON is called gzip",
     gives(repr('{"code":"0000","message":"ok"}'), extra="Content-Encoding: gzip\r\n"), session([ASK]))
told("payload-undecodable", "gzip-cut-by-the-application-ipv6", "the compressed stream ends early, its length is right, over IPv6",
     gives("__import__('gzip').compress(b'{\"list\":[' + b'\"26112400001\",' * 80 + b'0]}')[:40]", extra="Content-Encoding: gzip\r\n"), session([ASK]), ip6=True)
told("payload-undecodable", "deflate-spoilt", "a byte of the zlib stream was changed",
     gives("bytes(b ^ (0x55 if k == 9 else 0) for k, b in enumerate(__import__('zlib').compress(b'{\"code\":\"0000\",\"message\":\"issued\"}')))", extra="Content-Encoding: deflate\r\n"), session([ASK]))
quiet("payload-undecodable", "raw-deflate", "deflate without the zlib frame, and gzip, both sound",
      server("    import gzip, zlib\n    z = zlib.compressobj(9, zlib.DEFLATED, -15)\n    body = b'{\"code\":\"0\"}'\n"
             "    return '200 OK', 'Content-Type: application/json\\r\\nContent-Encoding: ' + ['deflate', 'gzip'][n - 1] + '\\r\\n', [z.compress(body) + z.flush(), gzip.compress(body)][n - 1]"),
      session([ASK, ASK]))
quiet("payload-undecodable", "brotli", "a coding that is not read here", gives("bytes(range(40))", extra="Content-Encoding: br\r\n"), session([ASK]))

# response-empty
told("response-empty", "post-200-empty", "an invoice is posted, the answer is 200 with length 0", gives("''"), session([[0, "POST", "/kpfw/v1/issue", BODY, JSON_KIND]]))
told("response-empty", "chunked-nothing-ipv6", "200 in chunks, of which the first is the last, over IPv6",
     server("    return b'HTTP/1.1 200 OK\\r\\nContent-Type: text/xml\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n0\\r\\n\\r\\n'"), session([[0, "POST", "/axis2/issue", SOAP, XML_KIND]]), ip6=True)
told("response-empty", "until-close-201", "201, no length, and the server closes at once",
     server("    return b'HTTP/1.0 201 Created\\r\\nContent-Type: application/json\\r\\n\\r\\n'"), session([[0, "POST", "/api/orders", BODY, JSON_KIND]]))
quiet("response-empty", "nothing-by-nature", "HEAD, OPTIONS, 204, 304, PUT and DELETE answered without a body",
      server("    status = {'HEAD': '200 OK', 'OPTIONS': '200 OK', 'PUT': '200 OK', 'DELETE': '200 OK'}.get(method, ['204 No Content', '304 Not Modified'][n % 2])\n    return status, '', ''"),
      session([[0.1, m, f"/api/orders/{n}", '{"a":1}' if m == "PUT" else "", {"Accept": "application/json"}] for n, m in enumerate(("HEAD", "OPTIONS", "GET", "GET", "PUT", "DELETE"))], keep=False))
quiet("response-empty", "beacon", "a page's counter is posted to and answers 200 with nothing", plain(locations="location / { return 200; }"),
      session([[0, "POST", "/collect?v=1", "ev=load&t=17", {"Content-Type": "application/x-www-form-urlencoded", "Accept": "*/*"}]]))

# content-type-mismatch
PAGE = "'<!DOCTYPE html><html><head><title>系统维护</title></head><body>系统维护中</body></html>'"
told("content-type-mismatch", "maintenance-page", "the gateway answers an API call with 200 and a maintenance page", gives(PAGE, kind="text/html; charset=utf-8"),
     session([[0, "POST", "/kpfw/v1/issue", BODY, JSON_KIND]]))
told("content-type-mismatch", "portal-page-ipv6", "a page in place of XML, over IPv6", gives(PAGE, kind="text/html; charset=utf-8", port=80),
     session([[0, "POST", "/axis2/issue", SOAP, XML_KIND]], 80), ip6=True)
told("content-type-mismatch", "page-called-json-gzip", "a login page under the name of JSON, gzipped", gives(f"__import__('gzip').compress({PAGE}.encode())", extra="Content-Encoding: gzip\r\n"), session([ASK]))
quiet("content-type-mismatch", "json-called-html", "JSON under the name of HTML, as many old services send it", gives(repr('{"key1":"01"}'), kind="text/html;charset=utf-8"),
      session([[0, "POST", "/NSbsqWW/qrgx.do", BODY, JSON_KIND]]))
quiet("content-type-mismatch", "page-asked-for", "a browser asks for a page and gets it", gives(PAGE, kind="text/html; charset=utf-8"),
      session([[0, "GET", "/index", "", {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "User-Agent": "Mozilla/5.0"}]]))
quiet("content-type-mismatch", "error-page-503", "an error's page is part of its status", gives(PAGE, kind="text/html; charset=utf-8", status="503 Service Unavailable"),
      session([[0, "POST", "/kpfw/v1/issue", BODY, JSON_KIND]]), expect=["application.http-503"])
quiet("content-type-mismatch", "template", "a program of the browser loads a piece of a page", gives("'<head></head><div></div>'", kind="text/html"),
      session([[0, "GET", "/app/views/list.html", "", {"Accept": "application/json, text/plain, */*"}]]))
told("response-empty", "get-versioned-path", "curl asks a versioned path and gets 200 with nothing", plain(locations="location / { return 200; }"), get("/kpfw/v1/invoice"))
quiet("response-empty", "callback-taken", "a platform's callback in JSON is taken with 200 and no word", plain(locations="location / { return 200; }"),
      session([[0, "POST", "/erp/v1/invoice/callback", BODY, JSON_KIND]]))
