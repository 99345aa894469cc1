import { describe, expect, it } from 'vitest';
import { applyOverrides, parseSet } from '../../../src/recipe/overrides.ts';
import { formatPath, parsePath } from '../../../src/recipe/path.ts';

describe('parsePath and formatPath', () => {
  it.each([
    ['disk.size', ['disk', 'size']],
    ['provision[0].scripts[12].timeout', ['provision', 0, 'scripts', 12, 'timeout']],
    ['provision[0].sysctls["vm.swappiness"]', ['provision', 0, 'sysctls', 'vm.swappiness']],
  ])('read and write %s', (text, path) => {
    expect(parsePath(text)).toEqual(path);
    expect(formatPath(path)).toBe(text);
  });

  it.each(['', '.', '.a', 'a.', 'a..b', 'a[', 'a[x]', 'a b', '[0]b'])('refuse %j', (text) => {
    expect(parsePath(text)).toBeUndefined();
  });
});

describe('applyOverrides', () => {
  const apply = (data: Record<string, unknown>, ...sets: string[]) =>
    applyOverrides(
      data,
      sets.flatMap((set) => {
        const parsed = parseSet(set);
        return 'override' in parsed ? [parsed.override] : [];
      }),
    );

  it('makes the containers on the way, and leaves its input as it was', () => {
    const data = { disk: { size: 1 } };
    expect(apply(data, 'disk.size=2GiB', 'users[0].name=ops', 'a=').data).toEqual({
      disk: { size: '2GiB' },
      users: [{ name: 'ops' }],
      a: null,
    });
    expect(data).toEqual({ disk: { size: 1 } });
  });

  it.each([
    ['name.x=1', 'name is a single value, it has no parts'],
    ['list[3]=1', 'list has only 1 entries'],
    ['list.x=1', 'list is a list: say which entry, [0] or later'],
    ['disk[0]=1', 'disk is not a list'],
  ])('says why %s cannot be', (set, message) => {
    const { problems } = apply({ name: 'a', list: [1], disk: {} }, set);
    expect(problems).toEqual([{ place: `--set ${set.split('=')[0]}`, message }]);
  });

  it('does not touch prototypes', () => {
    const { data } = apply({}, '__proto__.polluted=1', 'constructor.prototype.polluted=1');
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect(Object.keys(data as object)).toEqual(['__proto__', 'constructor']);
  });
});
