import { describe, expect, it } from 'vitest';
import { completeRecipe } from '../../../src/recipe/complete.ts';
import { recipeSchema } from '../../../src/recipe/schema.ts';

const gibibyte = 2 ** 30;
const small = { memoryMinimum: gibibyte, diskMinimum: 3 * gibibyte };
const large = { memoryMinimum: 4 * gibibyte, diskMinimum: 10 * gibibyte };

function sizesOf(settings: object, needs: typeof small): readonly number[] {
  const { memory, disk } = completeRecipe(recipeSchema.parse({ distro: 'testian-1', ...settings }), needs);
  return [memory / gibibyte, disk.size / gibibyte];
}

describe('memory and disk of a recipe that does not say them', () => {
  it.each([
    ['are the usual', {}, small, [2, 8]],
    ['are what the installer needs', {}, large, [4, 10]],
    ['have room for volumes and swap', { disk: { layout: 'lvm', swap: '1GiB' } }, large, [4, 16]],
    ['are as they are said', { memory: '1GiB', disk: { size: '5GiB' } }, large, [1, 5]],
  ])('%s', (_, settings, needs, sizes) => {
    expect(sizesOf(settings, needs)).toEqual(sizes);
  });
});
