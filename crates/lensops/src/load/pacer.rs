//! Waits until a request is due, to a few microseconds.
//!
//! tokio's timer counts whole milliseconds, which at 10,000 requests a second is ten requests. On
//! Linux a timer of the kernel wakes the thread instead; elsewhere tokio's has to do, and what it
//! costs shows as lateness. Spinning was rejected: it burns the processor that the server needs.

use std::time::Duration;

use tokio::time::Instant;

#[cfg(target_os = "linux")]
mod kernel {
    use std::io;
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
    };
    use tokio::io::unix::AsyncFd;

    /// A timer of the kernel.
    pub(super) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        pub(super) fn new() -> io::Result<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
            #[expect(
                deprecated,
                reason = "its successor is unsafe; an OwnedFd stays open as long as it asks for"
            )]
            let timer = AsyncFd::new(timer)?;
            Ok(Self(timer))
        }

        pub(super) async fn wait(&self, time: Duration) -> io::Result<()> {
            let it_value = Timespec {
                tv_sec: i64::try_from(time.as_secs()).unwrap_or(i64::MAX),
                // Zero would disarm it.
                tv_nsec: i64::from(time.subsec_nanos().max(1)),
            };
            let it_interval = Timespec { tv_sec: 0, tv_nsec: 0 };
            let spec = Itimerspec { it_interval, it_value };
            timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &spec)?;
            // Arming it anew clears what an earlier wait left; the count it holds is never read.
            let mut ready = self.0.readable().await?;
            ready.clear_ready();
            Ok(())
        }
    }
}

/// Waits for due times.
pub(super) struct Pacer {
    #[cfg(target_os = "linux")]
    timer: Option<kernel::Timer>,
}

impl Pacer {
    pub(super) fn new() -> Self {
        Self {
            #[cfg(target_os = "linux")]
            timer: kernel::Timer::new().ok(),
        }
    }

    /// Returns at `due`, or at once when that is over.
    pub(super) async fn until(&self, due: Instant) {
        let left = due.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        self.wait(left).await;
    }

    async fn wait(&self, left: Duration) {
        #[cfg(target_os = "linux")]
        if let Some(timer) = &self.timer
            && timer.wait(left).await.is_ok()
        {
            return;
        }
        tokio::time::sleep(left).await;
    }
}

/// Processor time that this thread has used; `None` where the system does not say.
#[cfg(target_os = "linux")]
pub(super) fn thread_time() -> Option<Duration> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Some(Duration::new(
        u64::try_from(used.tv_sec).ok()?,
        u32::try_from(used.tv_nsec).ok()?,
    ))
}

/// Processor time that this thread has used: this system does not say.
#[cfg(not(target_os = "linux"))]
pub(super) fn thread_time() -> Option<Duration> {
    None
}
