//! Fields of JSON, XML, forms and query strings, by their names alone: enough to know a version or a serial number,
//! without understanding the body. Names are compared without case, `_` and `-`.

/// Longest version that is kept.
const VERSION_MAX: usize = 16;

/// Names that hold the version of an interface.
const VERSIONS: [&str; 8] = [
    "version",
    "interfaceversion",
    "apiversion",
    "protocolversion",
    "frameworkcurrentversion",
    "ver",
    "jkbb",
    "bbh",
];

/// Names, or their ends, of what identifies a business: serial, invoice, order and request numbers, in English and in
/// the initials of their Chinese names.
const IDENTITIES: [&str; 31] = [
    "serial",
    "serialno",
    "serialnumber",
    "invoiceno",
    "invoicenum",
    "invoicenumber",
    "invoiceid",
    "orderno",
    "ordernum",
    "ordernumber",
    "orderid",
    "billno",
    "billid",
    "bizid",
    "bizno",
    "businessid",
    "businessno",
    "tradeno",
    "transactionid",
    "transid",
    "requestid",
    "requestno",
    "messageid",
    "msgid",
    "documentno",
    "lsh",
    "fphm",
    "fpdm",
    "djbh",
    "ddh",
    "xh",
];

/// The same in Chinese.
const IDENTITIES_ZH: [&str; 5] = ["流水号", "发票号码", "单据编号", "订单号", "业务编号"];

/// The version that a field of the text names. The version of XML itself, of SOAP and of HTTP is none.
pub fn version_in(text: &str) -> Option<String> {
    fields(text).find_map(|field| {
        let known = VERSIONS.contains(&field.name.as_str());
        let declares = text.get(..field.at)?.trim_end().ends_with("<?xml");
        if !known || declares {
            return None;
        }
        let value: String = field
            .value
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || "._-".contains(*c))
            .take(VERSION_MAX)
            .collect();
        value
            .bytes()
            .any(|byte| byte.is_ascii_digit())
            .then_some(value)
    })
}

/// Does a field that has a value identify what the text is about?
pub(super) fn identifies(text: &str) -> bool {
    let by_name = fields(text).any(|field| {
        let known = IDENTITIES
            .iter()
            .any(|name| field.name == *name || name.len() > 2 && field.name.ends_with(name));
        known
            && field
                .value
                .chars()
                .next()
                .is_some_and(char::is_alphanumeric)
    });
    by_name || IDENTITIES_ZH.iter().any(|name| text.contains(name))
}

/// Is there any field with a name at all?
pub(super) fn has_fields(text: &str) -> bool {
    fields(text).next().is_some()
}

struct Field<'t> {
    at: usize,
    name: String,
    value: &'t str,
}

/// `"name": "value"`, `name="value"`, `<name>value`, `name=value`; nested objects give no value of their own.
fn fields(text: &str) -> impl Iterator<Item = Field<'_>> {
    let mut at = 0_usize;
    std::iter::from_fn(move || {
        loop {
            let rest = text.get(at..)?;
            let begins = rest.find(is_name)?.checked_add(at)?;
            let word = text.get(begins..)?;
            let length = word.find(|c: char| !is_name(c)).unwrap_or(word.len());
            at = begins.checked_add(length)?;
            let after = text.get(at..)?;
            let after = after.strip_prefix('"').unwrap_or(after).trim_start();
            let Some(value) = after.strip_prefix([':', '=', '>']) else {
                continue;
            };
            let value = value.trim_start();
            let name: String = word
                .chars()
                .take(length)
                .filter(char::is_ascii_alphanumeric)
                .map(|c| c.to_ascii_lowercase())
                .collect();
            return Some(Field {
                at: begins,
                name,
                value: value.strip_prefix(['"', '\'']).unwrap_or(value),
            });
        }
    })
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_from_json_xml_forms_and_queries() {
        let version = |text| version_in(text);
        assert_eq!(
            version("{\"a\":1,\"version\": \"2.0\"}").as_deref(),
            Some("2.0")
        );
        assert_eq!(
            version("<?xml version=\"1.0\"?><interface version=\"DZFP1.0\">").as_deref(),
            Some("DZFP1.0")
        );
        assert_eq!(
            version("<g><version>2.0</version></g>").as_deref(),
            Some("2.0")
        );
        assert_eq!(version("method=x&version=6.0&a=b").as_deref(), Some("6.0"));
        assert_eq!(version("<?xml version='1.0' encoding='GBK'?><a/>"), None);
        assert_eq!(version("{\"conversion\":\"2\"}"), None);
    }

    #[test]
    fn a_serial_number_identifies_and_a_page_number_does_not() {
        assert!(identifies("{\"serial\":\"26112400007\"}"));
        assert!(identifies("<FPQQLSH>123</FPQQLSH>"));
        assert!(identifies("{\"fp_hm\":1,\"order_no\":\"A1\"}"));
        assert!(identifies("out_trade_no=77&a=1"));
        assert!(!identifies("{\"page\":1,\"serial\":\"\"}"));
        assert!(!identifies("{\"nsrsbh\":\"9111\"}"));
    }

    #[test]
    fn a_coded_body_has_no_fields() {
        assert!(!has_fields("TUlJQ1hnSUJBQUtCZ1FDN3Z"));
        assert!(has_fields("a=b"));
    }
}
