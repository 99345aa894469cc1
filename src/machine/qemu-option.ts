type Value = string | number | boolean | undefined;

/**
 * One value of QEMU's `head,key=value,...` syntax. Commas are doubled, booleans are `on` and `off`, undefined is left
 * out.
 */
export function qemuOption(head: string | undefined, values: Readonly<Record<string, Value>> = {}): string {
  const pairs = Object.entries(values).flatMap(([key, value]) =>
    value === undefined ? [] : [`${key}=${encode(value)}`],
  );
  return [...(head === undefined ? [] : [encode(head)]), ...pairs].join(',');
}

function encode(value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? 'on' : 'off';
  return String(value).replaceAll(',', ',,');
}
