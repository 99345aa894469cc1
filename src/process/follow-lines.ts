import type { Readable } from 'node:stream';

const keptLines = 50;
/** A longer line comes in pieces, so that a program that never ends one does not fill the memory. */
const longestLine = 64 * 1024;

/** Reads a stream to its end, calls `onLine` with each line as it ends, and gives what tells the last 50 of them. */
export function followLines(stream: Readable, onLine: (line: string) => void): () => readonly string[] {
  const lastLines: string[] = [];
  let unfinished = '';
  const take = (line: string): void => {
    lastLines.push(line);
    if (lastLines.length > keptLines) lastLines.shift();
    onLine(line);
  };
  stream.setEncoding('utf8');
  stream.on('data', (piece: string) => {
    const lines = (unfinished + piece).split('\n');
    unfinished = lines.pop() ?? '';
    for (const line of lines) take(line.replace(/\r$/, ''));
    if (unfinished.length < longestLine) return;
    take(unfinished);
    unfinished = '';
  });
  stream.on('end', () => {
    if (unfinished !== '') take(unfinished);
  });
  return () => lastLines;
}
