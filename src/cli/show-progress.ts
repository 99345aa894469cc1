import { type LogFormat, startProgress } from '../progress/choose.ts';
import type { Progress } from '../progress/events.ts';
import type { CommandContext } from './command-context.ts';

/** Runs `work` with its progress on standard error, which is in order again when this ends. */
export async function showProgress<T>(
  format: LogFormat,
  { output, env }: CommandContext,
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  const renderer = await startProgress(format, {
    write: output.write,
    isTerminal: output.isTerminal,
    nowMs: () => performance.now(),
    debug: env.KVMIMG_DEBUG === '1',
  });
  output.showLogIn((message) => renderer.progress({ type: 'log', level: 'info', message }));
  try {
    return await work(renderer.progress);
  } finally {
    output.showLogIn(undefined);
    await renderer.close();
  }
}

/** Shows an export that is of no build as the one phase that it is, from the first that is heard of it. */
export async function showExport<T>(
  context: CommandContext,
  title: string,
  work: (onProgress: (fraction: number, activity: string) => void) => Promise<T>,
): Promise<T> {
  const phase = 'export';
  return showProgress('auto', context, async (progress) => {
    let startMs: number | undefined;
    const onProgress = (fraction: number, activity: string): void => {
      if (startMs === undefined) progress({ type: 'phase-started', phase, title });
      startMs ??= performance.now();
      progress({ type: 'phase-progress', phase, activity, fraction });
    };
    const end = (type: 'phase-finished' | 'phase-failed'): void => {
      if (startMs !== undefined) progress({ type, phase, seconds: (performance.now() - startMs) / 1000 });
    };
    try {
      const result = await work(onProgress);
      end('phase-finished');
      return result;
    } catch (error) {
      end('phase-failed');
      throw error;
    }
  });
}
