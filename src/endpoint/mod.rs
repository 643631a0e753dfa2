//! Which servers matter here: the invoicing host families and their regions, as they are known by name.
//!
//! A snapshot of public client code and pages; names change often. Without a match a server is still an endpoint,
//! only a less urgent one.

/// Domains of the tax authority and of the platforms that invoices go through.
const FAMILIES: [&str; 12] = [
    "chinatax.gov.cn",
    "tjsat.gov.cn",
    "nm-n-tax.gov.cn",
    "xj-n-tax.gov.cn",
    "baiwang.com",
    "nuonuo.com",
    "nuonuocs.cn",
    "shdzfp.com",
    "piaozone.com",
    "kingdee.com",
    "esign.cn",
    "inv-veri.chinatax.gov.cn",
];

/// The label before `chinatax.gov.cn`, and the region it names.
const REGIONS: [(&str, &str); 36] = [
    ("beijing", "北京市"),
    ("tianjin", "天津市"),
    ("hebei", "河北省"),
    ("shanxi", "山西省"),
    ("neimenggu", "内蒙古自治区"),
    ("liaoning", "辽宁省"),
    ("dalian", "大连市"),
    ("jilin", "吉林省"),
    ("heilongjiang", "黑龙江省"),
    ("shanghai", "上海市"),
    ("jiangsu", "江苏省"),
    ("zhejiang", "浙江省"),
    ("ningbo", "宁波市"),
    ("anhui", "安徽省"),
    ("fujian", "福建省"),
    ("xiamen", "厦门市"),
    ("jiangxi", "江西省"),
    ("shandong", "山东省"),
    ("qingdao", "青岛市"),
    ("henan", "河南省"),
    ("hubei", "湖北省"),
    ("hunan", "湖南省"),
    ("guangdong", "广东省"),
    ("shenzhen", "深圳市"),
    ("guangxi", "广西壮族自治区"),
    ("hainan", "海南省"),
    ("chongqing", "重庆市"),
    ("sichuan", "四川省"),
    ("guizhou", "贵州省"),
    ("yunnan", "云南省"),
    ("xizang", "西藏自治区"),
    ("shaanxi", "陕西省"),
    ("gansu", "甘肃省"),
    ("qinghai", "青海省"),
    ("ningxia", "宁夏回族自治区"),
    ("xinjiang", "新疆维吾尔自治区"),
];

/// Is this the name of an invoicing endpoint? `name` in lower case.
pub fn is_invoicing(name: &str) -> bool {
    FAMILIES.iter().any(|family| {
        name.strip_suffix(family)
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

/// The region that a tax host's name says, in Chinese.
pub fn region(name: &str) -> Option<&'static str> {
    for (suffix, region) in [
        ("tjsat.gov.cn", "天津市"),
        ("nm-n-tax.gov.cn", "内蒙古自治区"),
        ("xj-n-tax.gov.cn", "新疆维吾尔自治区"),
    ] {
        if name.ends_with(suffix) {
            return Some(region);
        }
    }
    let slug = name.strip_suffix(".chinatax.gov.cn")?.rsplit('.').next()?;
    REGIONS
        .iter()
        .find(|(known, _)| *known == slug)
        .map(|(_, region)| *region)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_before_chinatax_is_the_region() {
        assert_eq!(region("dppt.beijing.chinatax.gov.cn"), Some("北京市"));
        assert_eq!(region("ggfw.web.guangdong.chinatax.gov.cn"), Some("广东省"));
        assert_eq!(region("yunnan.chinatax.gov.cn"), Some("云南省"));
        assert_eq!(region("inv-veri.chinatax.gov.cn"), None);
        assert_eq!(region("etax.shaanxi.chinatax.gov.cn"), Some("陕西省"));
    }

    #[test]
    fn a_family_is_matched_by_whole_labels() {
        assert!(is_invoicing("openapi.baiwang.com"));
        assert!(!is_invoicing("notbaiwang.com"));
        assert!(!is_invoicing("example.com"));
    }
}
