//! What the user agent remembers of calls, counted.

use super::UserAgent;

impl UserAgent {
    /// How much is remembered of calls, by what it is.
    pub fn kept(&self) -> Vec<(&'static str, usize)> {
        let mut kept = vec![
            ("calls", self.calls.len()),
            ("calls by dialog", self.dialogs.len()),
            ("calls by INVITE", self.invites.len()),
            ("calls by refresh", self.refreshes.len()),
            ("calls by REFER", self.refers.len()),
            ("changes", self.changes.len()),
            ("late ACKs", self.late_acks.len()),
            ("INVITEs by what is the same whichever way they take", self.incoming.len()),
            ("deadlines of calls", self.timers.len()),
            ("requests under accounts", self.accounts.pending.len()),
            ("probes of phones", self.probes.len()),
            ("outputs of the user agent", self.outputs.len()),
        ];
        kept.extend(self.transactions.kept());
        kept
    }
}
