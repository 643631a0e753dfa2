use super::*;

/// The messages of a file that is wrong, as `line: message`.
fn wrong(text: &str) -> Vec<String> {
    let errors = Rules::of_file(text).err().unwrap_or_default();
    errors
        .iter()
        .map(|error| format!("{}: {}", error.line, error.message))
        .collect()
}

#[test]
fn probe() {
    println!("{:#?}", reader::read(BUILT_IN).err());
    println!("{:#?}", wrong("[[endpoint]]\nid = \"a\"\nnme = 3\n\n[[endpoint]]\nname = \"x\"\nmatch.port = [3]\nmatch.ports = [0, 5, \"x\"]\n[endpoint]\n"));
    println!("{:#?}", wrong("[[endpoint]]\nid = \"a\"\nnme = 3\n\n[[endpoint]]\nname = \"x\"\nmatch.port = [3]\nmatch.ports = [0, 5, \"x\"]\n"));
    println!("{:#?}", wrong("a = \n[b\n"));
    println!("{:#?}", wrong("id = \"a\"\nid = \"b\"\n"));
    println!("{:#?}", wrong("[[endpoint]]\nid = \"a\n"));
    println!("{:#?}", wrong("endpoint = 5\nregion = [{slug=\"a\"}]"));
}
