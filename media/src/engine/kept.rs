//! What is remembered of calls, counted: a call that is over must leave nothing behind, however it went.

use super::Engine;

impl Engine {
    /// How much is remembered of calls, by what it is. All of it is nothing a while after the last call: nothing here may grow with the
    /// number of calls that have been. What sources have sent is not among it; it has bounds of its own.
    pub fn kept(&self) -> Vec<(&'static str, usize)> {
        let mut kept = vec![
            ("legs", self.legs.len()),
            ("legs by dialog", self.by_dialog.len()),
            ("legs by port", self.by_port.len()),
            ("ports at rest", self.ports.resting()),
            ("outputs", self.outputs.len()),
        ];
        kept.extend(self.bridges.kept());
        kept.extend(self.browsers.kept());
        kept.extend(self.agent.kept());
        kept
    }
}
