import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { SerialLines } from './serial-lines.ts';

/** A growing serial log, read while it grows. */
export interface SerialLog {
  /** The last lines, oldest first, with the unfinished one at the end. */
  readonly lastLines: (count: number) => readonly string[];
  /** Reads what is left and stops. */
  readonly finish: () => Promise<void>;
}

const pollMs = 100;
/** A line without an end that has been quiet this long is a prompt. */
const promptQuietMs = 400;
const keptLines = 2_000;

/**
 * Creates the log at `path` for QEMU to write to, and follows it. `onLine` gets each line as it ends, and before that
 * once an unfinished line that has come to rest: a prompt is never ended. It must not throw.
 */
export async function followSerialLog(path: string, onLine: (line: string) => void = () => {}): Promise<SerialLog> {
  const file = await open(path, 'w+', 0o600);
  const lines: string[] = [];
  const splitter = new SerialLines();
  const take = (bytes: Uint8Array): void => {
    for (const line of splitter.push(bytes)) {
      lines.push(line);
      onLine(line);
    }
    if (lines.length > keptLines) lines.splice(0, lines.length - keptLines);
  };
  const stop = new AbortController();
  const onQuiet = makePromptTeller(splitter, onLine);
  // A log that cannot be read tells nothing; the machine goes on, and its exit is seen all the same.
  const followed = follow({ file, stop: stop.signal, take, onQuiet }).catch(() => {});
  return {
    lastLines: (count) => {
      const all = splitter.unfinished === '' ? lines : [...lines, splitter.unfinished];
      return count > 0 ? all.slice(-count) : [];
    },
    finish: async () => {
      stop.abort();
      await followed;
      await file.close();
    },
  };
}

/** Tells an unfinished line once: again only when it has changed. */
function makePromptTeller(splitter: SerialLines, onLine: (line: string) => void): () => void {
  let told = '';
  return () => {
    if (splitter.unfinished !== '' && splitter.unfinished !== told) onLine(splitter.unfinished);
    told = splitter.unfinished;
  };
}

interface Following {
  readonly file: FileHandle;
  readonly stop: AbortSignal;
  readonly take: (bytes: Uint8Array) => void;
  readonly onQuiet: () => void;
}

async function follow({ file, stop, take, onQuiet }: Following): Promise<void> {
  const buffer = Buffer.alloc(65_536);
  let position = 0;
  let lastBytesMs = performance.now();
  for (;;) {
    const stopping = stop.aborted;
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead > 0) {
      position += bytesRead;
      lastBytesMs = performance.now();
      take(buffer.subarray(0, bytesRead));
    } else if (stopping) {
      onQuiet();
      return;
    } else {
      if (performance.now() - lastBytesMs >= promptQuietMs) onQuiet();
      await sleep(pollMs, undefined, { signal: stop }).catch(() => {});
    }
  }
}
