import { PassThrough } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { chooseColor, chooseProgress, startProgress } from '../../src/cli/progress.ts'
import type { Descriptor } from '../../src/oci/descriptor.ts'
import { digestOf } from '../../src/oci/digest.ts'
import type { TransferEvent } from '../../src/transfer/events.ts'
import { FakeTerminal } from './fake-terminal.ts'

const blob = (name: string, size: number): Descriptor => ({
  mediaType: 'layer',
  digest: digestOf(name),
  size,
})
const big = blob('big', 40_000_000)
const small = blob('small', 1000)
const planned: TransferEvent = { type: 'planned', manifests: 1, blobs: 2, bytes: 40_001_000 }

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

describe('the choice of a display', () => {
  it.each([
    ['bars on a terminal', { isTTY: true, env: {} }, 'tty'],
    ['lines in a pipe', { isTTY: false, env: {} }, 'plain'],
    ['lines in a CI job, even on a terminal', { isTTY: true, env: { CI: 'true' } }, 'plain'],
    ['bars where CI is switched off', { isTTY: true, env: { CI: 'false' } }, 'tty'],
    ['lines on a dumb terminal', { isTTY: true, env: { TERM: 'dumb' } }, 'plain'],
    ['nothing with --quiet', { isTTY: true, env: {}, quiet: true }, 'quiet'],
    [
      'nothing with --quiet whatever --progress says',
      { isTTY: true, env: {}, quiet: true, flag: 'json' },
      'quiet',
    ],
    ['what --progress says', { isTTY: true, env: { CI: '1' }, flag: 'tty' }, 'tty'],
    ['JSON on demand', { isTTY: true, env: {}, flag: 'json' }, 'json'],
  ] as const)('is %s', (_, choice, kind) => {
    expect(chooseProgress(choice)).toBe(kind)
  })

  it('refuses bars where there is no terminal', () => {
    expect(() => chooseProgress({ flag: 'tty', isTTY: false, env: {} })).toThrow(
      expect.objectContaining({ code: 'USAGE', hint: 'use --progress plain' }),
    )
  })

  it.each([
    ['on a terminal', { isTTY: true, env: {} }, true],
    ['not in a pipe', { isTTY: false, env: {} }, false],
    ['not with NO_COLOR', { isTTY: true, env: { NO_COLOR: '1' } }, false],
    ['with an empty NO_COLOR, which means nothing', { isTTY: true, env: { NO_COLOR: '' } }, true],
    ['not on a dumb terminal', { isTTY: true, env: { TERM: 'dumb' } }, false],
    ['with FORCE_COLOR in a pipe', { isTTY: false, env: { FORCE_COLOR: '1', NO_COLOR: '1' } }, true],
    ['not with FORCE_COLOR=0', { isTTY: true, env: { FORCE_COLOR: '0' } }, false],
  ] as const)('colours %s', (_, surroundings, wanted) => {
    expect(chooseColor(surroundings)).toBe(wanted)
  })
})

describe('bars', () => {
  const start = async (columns: number, color = false) => {
    const stream = new FakeTerminal(columns)
    const progress = await startProgress('tty', { stream, color })
    const feed = (...events: TransferEvent[]) => {
      for (const event of events) progress.onEvent(event)
    }
    return { stream, progress, feed }
  }
  const halfway = (feed: (...events: TransferEvent[]) => void) => {
    feed(planned, { type: 'blob-started', descriptor: big })
    for (let second = 0; second < 4; second += 1) {
      vi.advanceTimersByTime(1000)
      feed({ type: 'blob-progress', descriptor: big, bytes: 5_000_000 })
    }
    vi.advanceTimersByTime(100)
  }
  const withoutSpinner = (screen: string[]) => screen.map(line => line.replace(/^[\u2800-\u28ff|/\\-]/, '#'))

  it('show a summary and the running blobs in 80 columns', async () => {
    const { stream, progress, feed } = await start(80)
    halfway(feed)
    expect(withoutSpinner(stream.screen)).toEqual([
      '#  49%, 20.0 MB of 40.0 MB, 4.9 MB/s, 5s left, 0 of 2 blobs',
      `   ${big.digest.slice(7, 19)} [===============>              ] 20.0 MB of 40.0 MB`,
    ])
    progress.stop()
  })

  it('fit 20 columns', async () => {
    const { stream, progress, feed } = await start(20)
    halfway(feed)
    expect(withoutSpinner(stream.screen)).toEqual(['#  49%, 4.9 MB/s', `   ${big.digest.slice(7, 14)} 50%`])
    progress.stop()
  })

  it.each([5, 10, 20, 30, 49, 50, 80, 300])('never fill the last of %i columns', async columns => {
    const { stream, progress, feed } = await start(columns)
    halfway(feed)
    expect(stream.screen).toHaveLength(2)
    for (const line of stream.screen) expect(line.length).toBeLessThan(columns)
    progress.stop()
  })

  it('show six lines of blobs at most and count the rest', async () => {
    const { stream, progress, feed } = await start(80)
    feed({ type: 'planned', manifests: 1, blobs: 9, bytes: 9000 })
    for (let at = 0; at < 9; at += 1) feed({ type: 'blob-started', descriptor: blob(`${at}`, 1000) })
    vi.advanceTimersByTime(100)
    expect(stream.screen).toHaveLength(7)
    expect(stream.screen.at(-1)).toBe('   and 4 more')
    progress.stop()
  })

  it('count a blob that starts again from zero, and one that is there already as done', async () => {
    const { stream, progress, feed } = await start(80)
    halfway(feed)
    feed(
      { type: 'blob-restarted', descriptor: big, start: 0 },
      { type: 'blob-done', descriptor: small, how: 'present' },
    )
    vi.advanceTimersByTime(100)
    expect(stream.screen[0]).toContain('  0%, 1.0 kB of 40.0 MB, ')
    expect(stream.screen[0]).toContain('1 of 2 blobs')
    feed({ type: 'blob-done', descriptor: big, how: 'copied' })
    vi.advanceTimersByTime(100)
    expect(withoutSpinner(stream.screen)).toEqual(['#  100%, 40.0 MB of 40.0 MB, 2 of 2 blobs'])
    progress.stop()
  })

  it('count a blob that goes on from where it does', async () => {
    const { stream, progress, feed } = await start(80)
    halfway(feed)
    feed({ type: 'blob-restarted', descriptor: big, start: 10_000_000 })
    vi.advanceTimersByTime(100)
    expect(stream.screen[0]).toContain(' 24%, 10.0 MB of 40.0 MB, ')
    feed(
      { type: 'blob-progress', descriptor: big, bytes: 1_000_000 },
      { type: 'blob-done', descriptor: big, how: 'copied' },
      { type: 'blob-done', descriptor: small, how: 'copied' },
    )
    vi.advanceTimersByTime(100)
    expect(withoutSpinner(stream.screen)).toEqual(['#  100%, 40.0 MB of 40.0 MB, 2 of 2 blobs'])
    progress.stop()
  })

  it('tell a speed of nothing when a transfer stalls', async () => {
    const { stream, progress, feed } = await start(80)
    halfway(feed)
    vi.advanceTimersByTime(20_000)
    expect(withoutSpinner(stream.screen)[0]).toBe('#  49%, 20.0 MB of 40.0 MB, 0 B/s, 0 of 2 blobs')
    progress.stop()
  })

  it('stay below warnings and other output, which have their control characters escaped', async () => {
    const { stream, progress, feed } = await start(80)
    halfway(feed)
    feed({ type: 'warning', message: 'odd \x1b[2J layer' })
    feed({ type: 'retry', name: 'ghcr.io', reason: 'answered 503', delayMs: 2000 })
    stream.write('from elsewhere\n')
    expect(withoutSpinner(stream.screen)).toEqual([
      'warning: odd \\u{1b}[2J layer',
      'retry: ghcr.io: answered 503; trying again in 2.0s',
      'from elsewhere',
      expect.stringContaining('#  49%'),
      expect.stringContaining('20.0 MB of 40.0 MB'),
    ])
    progress.stop()
  })

  it('leave nothing behind when the terminal is made narrower and wider again', async () => {
    const { stream, progress, feed } = await start(80)
    stream.write('$ dray copy\n')
    halfway(feed)
    for (const columns of [60, 33, 20, 45, 80]) {
      stream.resize(columns)
      vi.advanceTimersByTime(200)
      expect(withoutSpinner(stream.screen)).toEqual([
        '$ dray copy',
        expect.stringMatching(/^# {2}49%/),
        expect.stringContaining(big.digest.slice(7, 14)),
      ])
    }
    progress.stop()
  })

  it('take themselves away at the end and give the cursor back', async () => {
    const { stream, progress, feed } = await start(80)
    halfway(feed)
    expect(stream.isCursorHidden).toBe(true)
    progress.stop()
    progress.stop()
    vi.advanceTimersByTime(1000)
    expect(stream.screen).toEqual([])
    expect(stream.isCursorHidden).toBe(false)
    expect(stream.listenerCount('resize')).toBe(0)
  })

  it('are coloured only when asked to', async () => {
    const plain = await start(80)
    const coloured = await start(80, true)
    for (const { feed, progress } of [plain, coloured]) {
      halfway(feed)
      progress.stop()
    }
    expect(plain.stream.raw).not.toMatch(/\x1b\[\d*m/)
    expect(coloured.stream.raw).toMatch(/\[\x1b\[36m=+>\x1b\[39m/)
  })
})

describe('lines for logs', () => {
  const start = async (kind: 'plain' | 'json' | 'none' | 'quiet') => {
    const stream = new PassThrough()
    const progress = await startProgress(kind, { stream })
    return {
      progress,
      lines: () =>
        String(stream.read() ?? '')
          .split('\n')
          .slice(0, -1),
    }
  }

  it('come every five seconds and when a blob was copied', async () => {
    const { progress, lines } = await start('plain')
    progress.onEvent(planned)
    progress.onEvent({ type: 'blob-started', descriptor: big })
    for (let step = 0; step < 40; step += 1) {
      vi.advanceTimersByTime(250)
      progress.onEvent({ type: 'blob-progress', descriptor: big, bytes: 1_000_000 })
    }
    progress.onEvent({ type: 'blob-done', descriptor: big, how: 'copied' })
    progress.onEvent({ type: 'blob-done', descriptor: small, how: 'present' })
    vi.advanceTimersByTime(60_000)
    expect(lines()).toEqual([
      '47%, 19.0 MB of 40.0 MB, 3.8 MB/s, 6s left, 0 of 2 blobs',
      '97%, 39.0 MB of 40.0 MB, 3.8 MB/s, 1s left, 0 of 2 blobs',
      `copied ${big.digest.slice(7, 19)} (40.0 MB), 99%, 40.0 MB of 40.0 MB, 4.0 MB/s, 1s left, 1 of 2 blobs`,
    ])
    progress.stop()
  })

  it('do not count a foreign blob that is left out as moved', async () => {
    const { progress, lines } = await start('plain')
    progress.onEvent(planned)
    progress.onEvent({ type: 'blob-done', descriptor: big, how: 'foreign' })
    progress.onEvent({ type: 'blob-done', descriptor: small, how: 'copied' })
    expect(lines()).toEqual([
      expect.stringMatching(/^copied [0-9a-f]{12} \(1\.0 kB\), 100%, 1\.0 kB of 1\.0 kB, 2 of 2 blobs$/),
    ])
    progress.stop()
  })

  it('tell retries and warnings at once, without secrets', async () => {
    const { progress, lines } = await start('plain')
    progress.onEvent({ type: 'retry', name: 'r', reason: 'GET https://cdn/?sig=abc123 broke', delayMs: 500 })
    progress.onEvent({ type: 'warning', message: 'a foreign layer stays where it is' })
    expect(lines()).toEqual([
      'retry: r: GET https://cdn/?sig=*** broke; trying again in 500ms',
      'warning: a foreign layer stays where it is',
    ])
    progress.stop()
  })

  it('are only warnings with none', async () => {
    const { progress, lines } = await start('none')
    progress.onEvent(planned)
    progress.onEvent({ type: 'retry', name: 'r', reason: 'broke', delayMs: 500 })
    progress.onEvent({ type: 'warning', message: 'careful' })
    vi.advanceTimersByTime(60_000)
    expect(lines()).toEqual(['warning: careful'])
  })

  it('are not there at all with quiet', async () => {
    const { progress, lines } = await start('quiet')
    progress.onEvent({ type: 'warning', message: 'careful' })
    expect(lines()).toEqual([])
  })

  it('are events as JSON, with the progress of a blob summed up', async () => {
    const { progress, lines } = await start('json')
    progress.onEvent(planned)
    progress.onEvent({ type: 'blob-started', descriptor: big })
    for (let step = 0; step < 6; step += 1) {
      vi.advanceTimersByTime(100)
      progress.onEvent({ type: 'blob-progress', descriptor: big, bytes: 10 })
    }
    progress.onEvent({ type: 'blob-done', descriptor: big, how: 'copied' })
    progress.onEvent({ type: 'warning', message: 'Bearer abcdef123456 \u009b31m' })
    progress.stop()
    const seen = lines()
    expect(seen.at(-1)).toBe('{"type":"warning","message":"Bearer *** \\u009b31m"}')
    expect(seen.slice(0, -1).map(line => JSON.parse(line))).toEqual([
      planned,
      { type: 'blob-started', descriptor: big },
      { type: 'blob-progress', descriptor: big, bytes: 40 },
      { type: 'blob-progress', descriptor: big, bytes: 20 },
      { type: 'blob-done', descriptor: big, how: 'copied' },
    ])
  })
})
