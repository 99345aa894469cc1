import { describe, expect, it } from 'vitest';
import { answerJsonSchemas } from './answer-schemas.ts';

describe('the JSON Schemas of answer files', () => {
  it.each(Object.entries(answerJsonSchemas))('say what the tests say: %s', async (id, text) => {
    await expect(text).toMatchFileSnapshot(`../../../docs/answer-files/${id}.schema.json`);
  });
});
