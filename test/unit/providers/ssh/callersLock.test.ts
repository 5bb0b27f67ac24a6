import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { proveHeld, quietContext } from '../../../../src/model/operationContext.ts';
import { CallersLock } from '../../../../src/providers/ssh/callersLock.ts';
import { failure } from '../../../contract/tools.ts';

let questions = 0;
let lock: CallersLock;
const prove = () => proveHeld({ ...quietContext, lock });

beforeEach(() => {
  vi.useFakeTimers();
  questions = 0;
  lock = new CallersLock('start', () => {
    questions += 1;
  });
});
afterEach(() => {
  expect(vi.getTimerCount()).toBe(0);
  vi.useRealTimers();
});

test('each proof is a question of its own, answered in its order', async () => {
  const first = prove();
  const second = failure(prove());
  expect(questions).toBe(2);
  lock.answer(true);
  await first;
  lock.answer(false);
  expect(await second).toMatchObject({ code: 'lock-lost' });
});

test('once it is lost, a yes to a later question does not bring it back', async () => {
  const proofs = [failure(prove()), failure(prove())];
  lock.answer(false);
  lock.answer(true);
  expect(await Promise.all(proofs)).toMatchObject([{ code: 'lock-lost' }, { code: 'lock-lost' }]);
  expect(await failure(prove())).toMatchObject({ code: 'lock-lost' });
});

test.each([
  ['says no', () => lock.answer(false)],
  ['is gone', () => lock.lose()],
  ['does not answer', () => void vi.advanceTimersByTime(30_000)],
])('a lock of which whoever called %s is lost for good', async (_, end) => {
  const failed = failure(prove());
  end();
  expect(await failed).toMatchObject({ code: 'lock-lost' });
  lock.answer(true);
  expect(await failure(prove())).toMatchObject({ code: 'lock-lost' });
  expect(questions).toBe(1);
});

test('of a caller who is gone already nothing is asked', async () => {
  lock.lose();
  expect(await failure(prove())).toMatchObject({ code: 'lock-lost' });
  expect(questions).toBe(0);
});
