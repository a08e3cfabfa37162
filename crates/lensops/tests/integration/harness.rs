//! A project in a temporary folder, a sandbox beside it, and the program run as a user runs it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use lensops_sandbox::{Config, Dialect, Sandbox, serve};

/// What a run of the program left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Panics with everything the program said unless it ended with `code`.
    #[track_caller]
    pub(crate) fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code; out:\n{}\nerr:\n{}", self.out, self.err);
        self
    }
}

/// A project folder and the environment that commands run in.
pub(crate) struct Project {
    folder: tempfile::TempDir,
    pub(crate) env: BTreeMap<String, String>,
}

impl Project {
    /// An empty folder and an empty environment.
    pub(crate) fn empty() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            env: BTreeMap::new(),
        }
    }

    /// A folder with the faults lens generated, and the environment to run it against `sandbox`.
    pub(crate) fn with_faults(sandbox: &Sandbox) -> Self {
        let mut project = Self::empty();
        project.point_at(sandbox);
        project.run(FAULTS).expect(0);
        project
    }

    /// As [`Project::with_faults`], with the sandbox as flag provider too.
    pub(crate) fn at_provider(sandbox: &Sandbox) -> Self {
        let mut project = Self::with_faults(sandbox);
        project.switch_at(sandbox);
        project
    }

    /// Sets the environment to read and switch flags at `sandbox`.
    pub(crate) fn switch_at(&mut self, sandbox: &Sandbox) {
        for (name, value) in [
            ("RENDER_API_URL", sandbox.url()),
            ("RENDER_API_KEY", sandbox.config().provider_key.clone()),
            ("RENDER_SERVICE_ID", "srv-made-up".to_owned()),
        ] {
            self.env.insert(name.to_owned(), value);
        }
    }

    /// Sets the environment to run against `sandbox`.
    pub(crate) fn point_at(&mut self, sandbox: &Sandbox) {
        self.env.insert("API_BASE_URL".to_owned(), sandbox.url());
        self.env.insert(
            "TENANT_SUPABASE_JWT_SECRET".to_owned(),
            sandbox.config().jwt_secret.clone(),
        );
    }

    pub(crate) fn root(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root().join(below)
    }

    #[track_caller]
    pub(crate) fn read(&self, below: &str) -> String {
        std::fs::read_to_string(self.path(below)).unwrap_or_else(|error| panic!("{below}: {error}"))
    }

    pub(crate) fn write(&self, below: &str, text: &str) {
        let path = self.path(below);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The program with `arguments` (split at spaces) in this project.
    pub(crate) fn command(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lensops"));
        command
            .env_clear()
            .envs(&self.env)
            .current_dir(self.root())
            .args(arguments.split_whitespace());
        command
    }

    pub(crate) fn run(&self, arguments: &str) -> Ran {
        Ran::of(self.command(arguments).output().unwrap())
    }

    /// What lies in the folder `below`, sorted.
    pub(crate) fn listed(&self, below: &str) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.path(below)).unwrap();
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    }

    /// Every file below the project with its bytes.
    pub(crate) fn files(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(folder: &Path, found: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, found);
                } else {
                    found.insert(path.clone(), std::fs::read(&path).unwrap());
                }
            }
        }
        let mut found = BTreeMap::new();
        walk(self.root(), &mut found);
        found
    }
}

/// Runs git in `folder`, with a name for commits and no settings of this machine.
#[track_caller]
pub(crate) fn git(folder: &Path, arguments: &[&str]) {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(["-c", "user.name=made-up", "-c", "user.email=made-up@example.invalid"])
        .args(arguments)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_SYSTEM", "/dev/null")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "git {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Starts a sandbox that speaks `dialect`.
pub(crate) async fn sandbox(dialect: Dialect) -> Sandbox {
    serve(Config::loopback(dialect)).await.unwrap()
}

/// The command line of the specification, with the ids of the sandbox's data.
pub(crate) const FAULTS: &str = "generate --lens-id faults --domain faults \
    --feature-flags FAULT_LENS_V1_ENABLED,FAULT_LENS_SUGGESTIONS_ENABLED,FAULT_LENS_SIGNED_ACTIONS_ENABLED \
    --roles crew,chief_engineer,chief_officer,captain,manager \
    --yacht-id 53fbdf09-b709-509d-aad0-3a6f50239a5d --hod-user-id 11c093fe-0652-50b4-bb47-559c1c185f8a \
    --crew-user-id eb3fdfe4-81e3-53a5-b423-fd13884b12e8 --captain-user-id 7672d3d4-fe80-5fb8-80e2-58b12b95d5b6 \
    --signed-action create_work_order_from_fault --entity-type work_order --entity-id-key fault_id \
    --signed-payload override_duplicate=true --test-entity-id a1bcc3d4-8832-5f43-b4d0-d845c74c9637 \
    --read-action view_fault_detail --output-dir .";

/// Tells `child` to stop.
pub(crate) fn terminate(child: &std::process::Child) {
    let status = std::process::Command::new("kill")
        .args(["-TERM", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(status.success());
}
