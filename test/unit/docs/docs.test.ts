import { describe, expect, it } from 'vitest';
import { makeCommandLineReference } from './command-line-reference.ts';
import { makeRecipeJsonSchema, makeRecipeReference } from './recipe-reference.ts';

// `npx vitest run --project unit test/unit/docs -u` writes the pages anew.
describe('the pages that are made from code are as the code is', () => {
  it.each([
    ['recipe.md', makeRecipeReference],
    ['recipe.schema.json', makeRecipeJsonSchema],
    ['command-line.md', makeCommandLineReference],
  ])('docs/%s', async (name, make) => {
    await expect(await make()).toMatchFileSnapshot(`../../../docs/${name}`);
  });
});
