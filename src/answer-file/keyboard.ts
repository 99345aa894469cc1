/** `de(nodeadkeys)` is layout `de`, variant `nodeadkeys`. */
export function splitKeyboard(keyboard: string): { readonly layout: string; readonly variant: string } {
  const [, layout = keyboard, variant = ''] = /^([^(]+)(?:\((.*)\))?$/.exec(keyboard) ?? [];
  return { layout, variant };
}
