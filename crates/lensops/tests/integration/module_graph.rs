//! Who names whom: the files of a crate as modules, and every path in them followed to the file that
//! defines what it names.
//!
//! Read from the sources with a parser, not from `use` lines alone: an inline path is as much a
//! dependency as an import, and a re-export is none of its own making. What a path does not lead to
//! within the tree (other crates, the standard library, generics) is left out. Methods called on
//! values name no path and are not seen; what they belong to was named where the value came from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Ident, Item, UseTree};

/// The modules of one or more crates by path, such as `lensops::store::journal`.
#[derive(Default)]
pub(crate) struct Tree {
    modules: BTreeMap<String, Module>,
    /// Macros by name: the module that defines them.
    macros: BTreeMap<String, String>,
}

/// That one file names something of another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Edge {
    pub(crate) from: PathBuf,
    pub(crate) to: PathBuf,
    /// The item; a module where the path ends there.
    pub(crate) what: String,
}

#[derive(Default)]
struct Module {
    /// The file that holds it; of an inline module, its parent's.
    file: PathBuf,
    items: BTreeSet<String>,
    imports: Vec<Import>,
    mentions: Vec<Mention>,
}

struct Import {
    /// `None` of a glob.
    name: Option<String>,
    path: Vec<String>,
}

/// A path as it stands in the source.
struct Mention {
    path: Vec<Ident>,
    kind: Kind,
    /// Whether it is compiled for tests alone.
    test: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Import,
    Glob,
    Inline,
    /// A macro called by its bare name.
    Macro,
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Target {
    /// The module that defines it, re-exports followed.
    module: String,
    /// `None` where it is the module itself.
    item: Option<String>,
}

impl Tree {
    /// Adds the crate `name` whose root file is `root`.
    pub(crate) fn read(&mut self, name: &str, root: &Path) {
        self.read_file(name.to_owned(), root, true, false);
    }

    fn read_file(&mut self, module: String, file: &Path, owns_folder: bool, test: bool) {
        let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let folder = file.parent().unwrap().to_owned();
        let folder = if owns_folder {
            folder
        } else {
            folder.join(file.file_stem().unwrap())
        };
        self.read_items(module, file, &folder, &parsed.items, test);
    }

    fn read_items(&mut self, path: String, file: &Path, folder: &Path, items: &[Item], test: bool) {
        let mut reader = Reader {
            module: Module {
                file: file.to_owned(),
                ..Module::default()
            },
            test,
        };
        for item in items {
            if let Item::Mod(inner) = item {
                let name = inner.ident.to_string();
                let (child, test) = (format!("{path}::{name}"), test || for_tests(&inner.attrs));
                reader.module.items.insert(name.clone());
                match &inner.content {
                    Some((_, items)) => self.read_items(child, file, &folder.join(&name), items, test),
                    None => {
                        let named = path_of(&inner.attrs).map(|path| file.with_file_name(path));
                        let flat = named.unwrap_or_else(|| folder.join(format!("{name}.rs")));
                        let nested = folder.join(&name).join("mod.rs");
                        if flat.exists() {
                            self.read_file(child, &flat, false, test);
                        } else {
                            self.read_file(child, &nested, true, test);
                        }
                    }
                }
                continue;
            }
            if let Item::Macro(definition) = item
                && let Some(name) = &definition.ident
            {
                self.macros.insert(name.to_string(), path.clone());
            }
            if let Some(name) = name_of(item) {
                reader.module.items.insert(name);
            }
            reader.visit_item(item);
        }
        self.modules.insert(path, reader.module);
    }

    /// What `path`, as it stands in `module`, leads to; `None` where that is not within the tree. `depth`
    /// keeps imports that name one another from being followed for ever.
    fn follow(&self, module: &str, path: &[String], depth: usize) -> Option<Target> {
        if depth > 20 {
            return None;
        }
        let (head, rest) = path.split_first()?;
        match head.as_str() {
            "crate" => self.within(module.split("::").next()?, rest, depth),
            "self" => self.within(module, rest, depth),
            "super" => self.within(module.rsplit_once("::")?.0, rest, depth),
            name if self.modules.contains_key(name) && !self.knows(module, name) => self.within(name, rest, depth),
            _ => self.within(module, path, depth),
        }
    }

    /// Which file names which: from, to, and what is named. Files are as `read` was given their root; what
    /// only tests name is left out.
    pub(crate) fn edges(&self) -> BTreeSet<Edge> {
        let mut edges = BTreeSet::new();
        for (name, module) in &self.modules {
            for mention in module.mentions.iter().filter(|mention| !mention.test) {
                for target in self.targets(name, mention) {
                    let to = self.modules[&target.module].file.clone();
                    if to != module.file {
                        let what = target.item.unwrap_or_else(|| "the module".to_owned());
                        let from = module.file.clone();
                        edges.insert(Edge { from, to, what });
                    }
                }
            }
        }
        edges
    }

    fn knows(&self, module: &str, name: &str) -> bool {
        self.modules.get(module).is_some_and(|module| {
            module.items.contains(name) || module.imports.iter().any(|import| import.name.as_deref() == Some(name))
        })
    }

    fn within(&self, module: &str, path: &[String], depth: usize) -> Option<Target> {
        let here = self.modules.get(module)?;
        let Some((head, rest)) = path.split_first() else {
            return Some(Target {
                module: module.to_owned(),
                item: None,
            });
        };
        if head == "super" || head == "self" {
            return self.follow(module, path, depth + 1);
        }
        let child = format!("{module}::{head}");
        if self.modules.contains_key(&child) {
            return self.within(&child, rest, depth + 1);
        }
        if here.items.contains(head) {
            return Some(Target {
                module: module.to_owned(),
                item: Some(head.clone()),
            });
        }
        for import in here
            .imports
            .iter()
            .filter(|import| import.name.as_deref() == Some(head))
        {
            let whole: Vec<String> = import.path.iter().chain(rest).cloned().collect();
            // An import of what the module itself is called would lead here again.
            if let Some(target) = self.follow(module, &whole, depth + 1) {
                return Some(target);
            }
        }
        for import in here.imports.iter().filter(|import| import.name.is_none()) {
            let whole: Vec<String> = import.path.iter().chain(path).cloned().collect();
            if let Some(target) = self.follow(module, &whole, depth + 1) {
                return Some(target);
            }
        }
        None
    }

    /// What the mention in `module` leads to: one target, or of a glob the module and all that it
    /// re-exports.
    fn targets(&self, module: &str, mention: &Mention) -> Vec<Target> {
        let path: Vec<String> = mention.path.iter().map(Ident::to_string).collect();
        if mention.kind == Kind::Macro {
            let module = self.macros.get(&path[0]).cloned();
            let item = path.into_iter().next();
            return module.map(|module| Target { module, item }).into_iter().collect();
        }
        let Some(target) = self.follow(module, &path, 0) else {
            return Vec::new();
        };
        if mention.kind != Kind::Glob || target.item.is_some() {
            return vec![target];
        }
        let imports = &self.modules[&target.module].imports;
        let through = imports
            .iter()
            .filter_map(|import| self.follow(&target.module, &import.path, 0));
        through.chain([target.clone()]).collect()
    }
}

/// Whether `attributes` keep something for tests.
fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("test")
            || attribute.path().is_ident("cfg")
                && attribute
                    .meta
                    .require_list()
                    .is_ok_and(|list| list.tokens.to_string().split_whitespace().any(|word| word == "test"))
    })
}

/// What `#[path = "…"]` among `attributes` says.
fn path_of(attributes: &[Attribute]) -> Option<String> {
    let value = &attributes
        .iter()
        .find(|attribute| attribute.path().is_ident("path"))?
        .meta;
    match &value.require_name_value().ok()?.value {
        syn::Expr::Lit(syn::ExprLit {
            lit: syn::Lit::Str(text),
            ..
        }) => Some(text.value()),
        _ => None,
    }
}

fn name_of(item: &Item) -> Option<String> {
    let name = match item {
        Item::Const(item) => &item.ident,
        Item::Enum(item) => &item.ident,
        Item::Fn(item) => &item.sig.ident,
        Item::Static(item) => &item.ident,
        Item::Struct(item) => &item.ident,
        Item::Trait(item) => &item.ident,
        Item::Type(item) => &item.ident,
        Item::Union(item) => &item.ident,
        Item::Macro(item) => item.ident.as_ref()?,
        _ => return None,
    };
    Some(name.to_string())
}

struct Reader {
    module: Module,
    test: bool,
}

impl Reader {
    fn mention(&mut self, path: Vec<Ident>, kind: Kind) {
        let test = self.test;
        self.module.mentions.push(Mention { path, kind, test });
    }

    fn imports(&mut self, tree: &UseTree, before: &[Ident]) {
        let with = |last: &Ident| before.iter().chain([last]).cloned().collect::<Vec<_>>();
        match tree {
            UseTree::Path(path) => self.imports(&path.tree, &with(&path.ident)),
            UseTree::Name(name) if name.ident == "self" => {
                self.import(before.last().map(Ident::to_string), before.to_vec(), Kind::Import)
            }
            UseTree::Name(name) => self.import(Some(name.ident.to_string()), with(&name.ident), Kind::Import),
            UseTree::Rename(renamed) => {
                self.import(Some(renamed.rename.to_string()), with(&renamed.ident), Kind::Import);
            }
            UseTree::Glob(_) => self.import(None, before.to_vec(), Kind::Glob),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.imports(tree, before)),
        }
    }

    fn import(&mut self, name: Option<String>, path: Vec<Ident>, kind: Kind) {
        self.module.imports.push(Import {
            name,
            path: path.iter().map(Ident::to_string).collect(),
        });
        self.mention(path, kind);
    }

    /// Paths among the tokens of a macro call: identifiers joined by `::`.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<Ident> = Vec::new();
        // How many colons follow the last identifier.
        let mut colons = 0;
        // `$name` and `.name` begin no path.
        let mut after = ' ';
        for token in tokens {
            match token {
                TokenTree::Ident(ident) => {
                    if colons != 2 {
                        self.ended(&mut path);
                    }
                    if !path.is_empty() || !matches!(after, '$' | '.') {
                        path.push(ident);
                    }
                    colons = 0;
                    after = ' ';
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' && !path.is_empty() && colons < 2 => colons += 1,
                other => {
                    self.ended(&mut path);
                    colons = 0;
                    after = match &other {
                        TokenTree::Punct(mark) => mark.as_char(),
                        _ => ' ',
                    };
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
        }
        self.ended(&mut path);
    }

    fn ended(&mut self, path: &mut Vec<Ident>) {
        let path = std::mem::take(path);
        if path.len() > 1 {
            self.mention(path, Kind::Inline);
        }
    }
}

impl<'ast> Visit<'ast> for Reader {
    fn visit_item(&mut self, item: &'ast Item) {
        let attributes = match item {
            Item::Fn(item) => &item.attrs,
            Item::Impl(item) => &item.attrs,
            Item::Use(item) => &item.attrs,
            Item::Const(item) => &item.attrs,
            Item::Static(item) => &item.attrs,
            Item::Struct(item) => &item.attrs,
            Item::Enum(item) => &item.attrs,
            _ => &Vec::new(),
        };
        let before = self.test;
        self.test |= for_tests(attributes);
        visit::visit_item(self, item);
        self.test = before;
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        let before = self.test;
        self.test |= for_tests(&item.attrs);
        visit::visit_impl_item_fn(self, item);
        self.test = before;
    }

    /// Who may see something is no dependency.
    fn visit_visibility(&mut self, _: &'ast syn::Visibility) {}

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.imports(&item.tree, &[]);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if path.segments.len() > 1 && path.leading_colon.is_none() {
            let names = path.segments.iter().map(|segment| segment.ident.clone());
            self.mention(names.collect(), Kind::Inline);
        }
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, called: &'ast syn::Macro) {
        if let Some(name) = called.path.get_ident() {
            self.mention(vec![name.clone()], Kind::Macro);
        } else {
            self.visit_path(&called.path);
        }
        self.tokens(called.tokens.clone());
    }
}
