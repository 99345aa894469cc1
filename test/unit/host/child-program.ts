import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { pathToFileURL } from 'node:url';

/** The text of an import of `names` from a compiled file. */
export function importLine(names: string, compiledFile: string): string {
  return `import { ${names} } from ${JSON.stringify(pathToFileURL(compiledFile).href)};`;
}

/** Starts node with a module given as text. Its arguments begin at `process.argv[1]`. */
export function startChild(source: string, args: readonly string[] = []): ChildProcess {
  return spawn(process.execPath, ['--input-type=module', '-e', source, '--', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
}

/** The child's next line, with which it tells how far it is. */
export async function readLine(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('The child has no standard output.');
  const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
  return chunk.toString().trim();
}

export async function killHard(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}
