//! `progenitor FILE` prints the code that progenitor alone generates for a document. `docs/compare.sh` measures it.

use std::error::Error;
use std::path::Path;

use call_api_codegen::load;
use call_api_codegen::problem::Problems;
use progenitor::{GenerationSettings, Generator, InterfaceStyle};

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("no document given")?;
    let source = load::load(Path::new(&file), Path::new(&file), &file).map_err(Problems::from)?;
    let document = serde_json::from_value(source.document)?;
    let mut settings = GenerationSettings::new();
    settings.with_interface(InterfaceStyle::Builder);
    let tokens = Generator::new(&settings).generate_tokens(&document)?;
    print!("{}", prettyplease::unparse(&syn::parse2(tokens)?));
    Ok(())
}
