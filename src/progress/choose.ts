import type { ProgressRenderer, RendererOptions } from './renderer.ts';

export const logFormats = ['auto', 'plain', 'json'] as const;
export type LogFormat = (typeof logFormats)[number];

/** `auto`: the live view on a terminal, lines elsewhere. */
export async function startProgress(
  format: LogFormat,
  options: RendererOptions & { readonly isTerminal: boolean },
): Promise<ProgressRenderer> {
  if (format === 'json') return (await import('./json.ts')).startJsonProgress(options);
  if (format === 'auto' && options.isTerminal) return (await import('./terminal.ts')).startTerminalProgress(options);
  return (await import('./plain.ts')).startPlainProgress(options);
}
