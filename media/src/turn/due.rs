//! What time alone makes happen.

use super::reply::Stage;
use super::{DECIDE, Escalation, FILLER_FIRST, FILLER_SECOND, FLUSHED, GIVE_UP, Output, Prompt, STALLED, Turns};
use std::time::Instant;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// Say what an interruption meant.
    Decide,
    /// The caller's turn is over.
    Close,
    /// A flushed playing has not been reported gone.
    Gone,
    /// A playing does not get on.
    Stalled,
    /// A reply that waits in line has got neither audio nor an end.
    Unmade,
    /// Thinking takes long.
    Think,
    /// Nobody says anything.
    Idle,
}

impl Turns {
    /// The next thing that time makes happen.
    pub(super) fn due(&self) -> Option<(Instant, Due)> {
        if self.ended {
            return None;
        }
        let mut first: Option<(Instant, Due)> = None;
        let mut offer = |at: Instant, due: Due| {
            if first.is_none_or(|(earliest, _)| at < earliest) {
                first = Some((at, due));
            }
        };
        if let Some(head) = self.replies.front() {
            match head.stage {
                Stage::Paused(since) => offer(since + DECIDE, Due::Decide),
                Stage::Flushing(since) => offer(since + FLUSHED, Due::Gone),
                Stage::Playing if head.is_starved() => offer(head.progress_at + GIVE_UP, Due::Stalled),
                Stage::Playing => offer(head.progress_at + STALLED, Due::Stalled),
                Stage::Waiting if !head.has_audio() => offer(head.progress_at + GIVE_UP, Due::Unmade),
                Stage::Waiting => {}
            }
        }
        let protected = self.replies.front().is_some_and(|head| head.protected && head.stage == Stage::Playing);
        if let Some(at) = self.caller.closes_at()
            && (!protected || self.caller.is_hushed())
        {
            offer(at, Due::Close);
        }
        let quiet = !self.caller.is_open() && self.replies.front().is_none_or(|head| head.stage == Stage::Waiting);
        match self.asked.as_ref().filter(|asked| !asked.replied) {
            Some(asked) if quiet => {
                let at = match asked.fillers {
                    0 => self.quiet_since + FILLER_FIRST,
                    1 => (self.quiet_since + FILLER_FIRST).max(asked.at + FILLER_SECOND),
                    _ => asked.at + GIVE_UP,
                };
                offer(at.min(asked.at + GIVE_UP), Due::Think);
            }
            None if quiet && self.replies.is_empty() => {
                offer(self.quiet_since + self.caller.patience.idle(), Due::Idle);
            }
            _ => {}
        }
        first
    }

    /// Does everything that is due by now.
    pub(super) fn run_due(&mut self, now: Instant) {
        while let Some((at, due)) = self.due() {
            if at > now {
                return;
            }
            match due {
                Due::Decide => self.decide(now),
                Due::Close => self.close_utterance(now),
                Due::Gone => self.finish_head(now),
                Due::Stalled | Due::Unmade => self.stalled(now),
                Due::Think => self.think(now),
                Due::Idle => self.idle(now),
            }
            self.pump(now);
        }
    }

    fn finish_head(&mut self, now: Instant) {
        if let Some(id) = self.replies.front().map(|head| head.id) {
            self.finish(id, now);
        }
    }

    fn decide(&mut self, now: Instant) {
        let listening = self.caller.hearing().is_some_and(|(text, _)| !self.interrupts(&text));
        if self.caller.is_speaking() && !listening {
            self.give_way(now);
        } else if let Some(head) = self.replies.front_mut() {
            head.stage = Stage::Playing;
            head.progress_at = now;
            self.out.push_back(Output::Resume(head.id));
        }
    }

    /// The head of the line does not get on: it ends as far as it came.
    fn stalled(&mut self, now: Instant) {
        let Some(head) = self.replies.front() else { return };
        let (id, answers, waiting) = (head.id, head.answers, head.stage == Stage::Waiting);
        self.out.push_back(Output::Drop(id));
        if waiting {
            self.replies.pop_front();
            self.unanswered(answers);
        } else {
            let broken = head.is_starved();
            self.out.push_back(Output::Flush(id));
            self.finish(id, now);
            if broken {
                self.out.push_back(Output::Escalate(Escalation::BrokenReply(id)));
            }
        }
        self.quiet_since = now;
    }

    fn think(&mut self, now: Instant) {
        let Some(asked) = self.asked.as_mut() else { return };
        if now >= asked.at + GIVE_UP {
            let turn = asked.turn;
            self.asked = None;
            self.discard(now, |it| it.answers == Some(turn));
            self.out.push_back(Output::Escalate(Escalation::NoReply(turn)));
        } else {
            self.out.push_back(Output::Filler(asked.turn, asked.fillers));
            asked.fillers += 1;
        }
        self.quiet_since = now;
    }

    fn idle(&mut self, now: Instant) {
        self.quiet_since = now;
        if self.prompts >= 2 {
            self.prompts = 0;
            self.out.push_back(Output::Escalate(Escalation::Silence));
        } else {
            self.prompts += 1;
            self.out.push_back(Output::Prompt(Prompt::AreYouThere(self.prompts)));
        }
    }
}
