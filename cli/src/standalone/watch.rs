//! When did files change?
//!
//! Folders are watched, not files: editors and mounted volumes replace files. An event says only that something may
//! have changed; whoever waits reads the files and compares.

use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::EventKind;
use notify::{Config, Event, PollWatcher, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// How long nothing may happen before a change counts as done.
const QUIET: Duration = Duration::from_millis(20);
/// How long a change may go on before it is looked at all the same.
const LIMIT: Duration = Duration::from_millis(80);
/// How often files are looked at where the system cannot watch.
const POLL: Duration = Duration::from_secs(2);

/// Folders that are watched. Watching ends when this is dropped.
pub(crate) struct Watch {
    events: mpsc::UnboundedReceiver<()>,
    _watcher: Box<dyn Watcher + Send>,
}

/// Watches what was named on the command line. Standard input never changes.
pub(crate) fn watch(paths: &[PathBuf]) -> notify::Result<Watch> {
    let (sender, events) = mpsc::unbounded_channel();
    let handler = {
        let sender = sender.clone();
        move |event: notify::Result<Event>| on_event(&sender, event)
    };
    let watcher = recommended(paths, handler).or_else(|error| {
        tracing::warn!(%error, "the system cannot watch the files, they are looked at every two seconds");
        polling(paths, move |event| on_event(&sender, event))
    })?;
    Ok(Watch { events, _watcher: watcher })
}

fn on_event(sender: &mpsc::UnboundedSender<()>, event: notify::Result<Event>) {
    // Reading the files is an event too.
    if !event.is_ok_and(|event| matches!(event.kind, EventKind::Access(_))) {
        // Nobody waits any more: the process is ending.
        let _ = sender.send(());
    }
}

fn recommended(
    paths: &[PathBuf],
    handler: impl Fn(notify::Result<Event>) + Send + 'static,
) -> notify::Result<Box<dyn Watcher + Send>> {
    let mut watcher = RecommendedWatcher::new(handler, Config::default())?;
    add(&mut watcher, paths)?;
    Ok(Box::new(watcher))
}

fn polling(
    paths: &[PathBuf],
    handler: impl Fn(notify::Result<Event>) + Send + 'static,
) -> notify::Result<Box<dyn Watcher + Send>> {
    let config = Config::default().with_poll_interval(POLL).with_compare_contents(true);
    let mut watcher = PollWatcher::new(handler, config)?;
    add(&mut watcher, paths)?;
    Ok(Box::new(watcher))
}

/// A folder with all below it; a file with its folder.
fn add(watcher: &mut impl Watcher, paths: &[PathBuf]) -> notify::Result<()> {
    for path in paths.iter().filter(|path| path.as_os_str() != "-") {
        if path.is_dir() {
            watcher.watch(path, RecursiveMode::Recursive)?;
        } else {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
            watcher.watch(parent.unwrap_or(Path::new(".")), RecursiveMode::NonRecursive)?;
        }
    }
    Ok(())
}

// === impl Watch ===

impl Watch {
    /// Waits until something may have changed and is quiet again.
    pub(crate) async fn changed(&mut self) {
        settle(&mut self.events).await;
    }
}

/// Waits for an event, then until there was none for [`QUIET`], but no longer than [`LIMIT`].
async fn settle(events: &mut mpsc::UnboundedReceiver<()>) {
    if events.recv().await.is_none() {
        // The watcher is gone: nothing will ever change.
        return std::future::pending().await;
    }
    let limit = Instant::now() + LIMIT;
    loop {
        let quiet = (Instant::now() + QUIET).min(limit);
        match timeout_at(quiet, events.recv()).await {
            Ok(Some(())) if Instant::now() < limit => {}
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn burst_of_events_is_one_change() {
        let (sender, mut events) = mpsc::unbounded_channel();
        let begun = Instant::now();
        let sending = async {
            for _ in 0..3 {
                sender.send(()).unwrap();
                tokio::time::advance(QUIET / 2).await;
            }
        };
        tokio::join!(settle(&mut events), sending);
        let took = begun.elapsed();
        assert!(took >= QUIET * 2 && took < LIMIT, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn steady_events_are_not_waited_out() {
        let (sender, mut events) = mpsc::unbounded_channel();
        let begun = Instant::now();
        let sending = async {
            while begun.elapsed() < LIMIT * 3 {
                sender.send(()).unwrap();
                tokio::time::sleep(QUIET / 2).await;
            }
        };
        tokio::select! { () = settle(&mut events) => {}, () = sending => panic!("waited for quiet") }
        assert!(begun.elapsed() <= LIMIT + QUIET, "{:?}", begun.elapsed());
    }

    #[tokio::test]
    async fn replaced_files_are_noticed() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.yaml"), "old").unwrap();
        let mut watch = watch(&[folder.path().to_owned()]).unwrap();
        std::fs::write(folder.path().join("b.tmp"), "new").unwrap();
        std::fs::rename(folder.path().join("b.tmp"), folder.path().join("a.yaml")).unwrap();
        tokio::time::timeout(Duration::from_secs(20), watch.changed()).await.expect("an event within 20 s");
    }

    #[test]
    fn reading_is_no_change() {
        use notify::event::{AccessKind, CreateKind};
        let (sender, mut events) = mpsc::unbounded_channel();
        on_event(&sender, Ok(Event::new(EventKind::Access(AccessKind::Read))));
        assert!(events.try_recv().is_err());
        on_event(&sender, Ok(Event::new(EventKind::Create(CreateKind::File))));
        on_event(&sender, Err(notify::Error::generic("events were lost")));
        assert_eq!((events.try_recv(), events.try_recv()), (Ok(()), Ok(())));
    }
}
