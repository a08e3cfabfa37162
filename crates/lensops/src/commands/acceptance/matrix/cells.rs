//! All cells of the matrix, some asked at once.

use futures_util::StreamExt as _;
use lensops_core::exchange::Sender;
use lensops_core::verdict::acceptance::{Case, Phase};
use lensops_core::verdict::registry::Expected;
use tokio_util::sync::CancellationToken;

use super::cell::Cell;
use super::role_matrix::RoleMatrix;
use super::table::{Mark, Row};

/// Cells that are asked at once.
const AT_ONCE: usize = 16;

impl RoleMatrix {
    /// Asks every cell, some at once; results stand in the order of the table.
    /// Once `stop` is cancelled nothing new is sent, and what is under way is let go.
    pub(super) async fn ask<S: Sender>(
        &self,
        sender: &S,
        seed: u64,
        stop: &CancellationToken,
    ) -> (Vec<Case>, Vec<Row>) {
        let columns = self.roles.len() + self.outsiders.len();
        let asked = (0..self.actions.len() * columns).map(|index| {
            let mut rng = fastrand::Rng::with_seed(seed.wrapping_add(index as u64));
            let (action, column) = (&self.actions[index / columns], index % columns);
            async move {
                let name = match self.roles.get(column) {
                    Some(role) => format!("{} × {role}", action.action_id),
                    None => {
                        let (name, _) = &self.outsiders[column - self.roles.len()];
                        format!("{} × {name} of another tenant", action.action_id)
                    }
                };
                let asked = async {
                    match self.roles.get(column) {
                        Some(role) => {
                            let user = self.loaded.plan.users.values().find(|user| user.role == *role);
                            self.cell(sender, action, user, &mut rng).await
                        }
                        None => {
                            let (_, user) = &self.outsiders[column - self.roles.len()];
                            self.send(sender, action, user, Expected::Outside, &mut rng).await
                        }
                    }
                };
                let cell = tokio::select! {
                    biased;
                    () = stop.cancelled() => self.unjudged("the run was interrupted"),
                    cell = asked => cell,
                };
                let mark = cell.mark;
                (case(index + 1, name, cell), mark)
            }
        });
        let (cases, marks): (Vec<Case>, Vec<Mark>) = futures_util::stream::iter(asked).buffered(AT_ONCE).unzip().await;
        let rows = self.actions.iter().zip(marks.chunks(columns));
        let rows = rows.map(|(action, marks)| Row {
            action: action.action_id.to_string(),
            marks: marks.to_vec(),
        });
        (cases, rows.collect())
    }
}

fn case(number: usize, name: String, cell: Cell) -> Case {
    Case {
        phase: Phase::Test,
        number,
        name,
        signed_flow: false,
        result: cell.result,
        proofs: Vec::new(),
        proofs_skipped: Vec::new(),
        transcripts: cell.transcript.into_iter().collect(),
        answered: cell.answered,
    }
}
