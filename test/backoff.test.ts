import { expect, test } from 'vitest'
import { backoffMs } from '../src/backoff.ts'

test.each([
  { attempt: 0, random: 0, delayMs: 250 },
  { attempt: 0, random: 0.5, delayMs: 375 },
  { attempt: 0, random: 0.999999, delayMs: 500 },
  { attempt: 1, random: 0, delayMs: 500 },
  { attempt: 3, random: 0, delayMs: 2000 },
  { attempt: 3, random: 0.25, delayMs: 2500 },
  { attempt: 5, random: 0.999999, delayMs: 16_000 },
  { attempt: 6, random: 0, delayMs: 15_000 },
  { attempt: 6, random: 0.999999, delayMs: 30_000 },
  { attempt: 2000, random: 0.999999, delayMs: 30_000 },
])('attempt $attempt with chance $random waits $delayMs ms', ({ attempt, random, delayMs }) => {
  expect(backoffMs(attempt, random)).toBe(delayMs)
})
