// The stream of commits: what is new, and whether the server is there.

const AGAIN_MS = 2000;

/**
 * Follows the commits. `on.commit(commit)` for each, in order; `on.state("live" | "lost")` when the connection changes.
 * A browser resumes a stream that broke by itself, with the number of the last commit. A stream that the server refused is begun anew.
 */
export function follow(on) {
  let last = 0;
  const begin = () => {
    const stream = new EventSource("/api/commits?last=20");
    stream.onopen = () => on.state("live");
    stream.onmessage = ({ data }) => {
      const commit = JSON.parse(data);
      if (commit.commit_id > last) {
        last = commit.commit_id;
        on.commit(commit);
      }
    };
    stream.addEventListener("failed", ({ data }) => on.failed(JSON.parse(data).message));
    stream.onerror = () => {
      on.state("lost");
      if (stream.readyState !== EventSource.CLOSED) return;
      // Perhaps another data directory is served now.
      last = 0;
      setTimeout(begin, AGAIN_MS);
    };
  };
  begin();
}
