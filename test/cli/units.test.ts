import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatBytes, formatDuration, parseAge, parseDuration, parseSize } from '../../src/cli/units.ts'

describe('ages', () => {
  it.each([
    ['30d', 30 * 86_400_000],
    ['365d', 365 * 86_400_000],
    ['0', 0],
    ['12h', 43_200_000],
  ])('%s is %i ms', (text, ms) => {
    expect(parseAge(text)).toBe(ms)
  })

  it.each(['d', '-1d', '1.5d', '1d12h', '100000d', '30', '0.5'])('%j is none', text => {
    expect(() => parseAge(text)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })
})

describe('durations', () => {
  it.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['10', 10_000],
    ['0', 0],
    ['1.5s', 1500],
    ['0.25', 250],
    ['1m30s', 90_000],
    ['24h', 86_400_000],
  ])('%s is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each(['', 's', '5x', '-5s', '5 s', '1e3', 'Infinity', '5s10', '.5s', '5.', '1,5s', '５s', '5m\n', 'm5'])(
    'refuses %j and shows how it is done',
    text => {
      expect(() => parseDuration(text)).toThrow(
        expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('500ms') }),
      )
    },
  )

  it('refuses what a timer cannot wait', () => {
    expect(() => parseDuration('600h')).toThrow('longer than 24 days')
    expect(() => parseDuration('9'.repeat(400))).toThrow('longer than 24 days')
  })

  it.each([
    [0, '0ms'],
    [350.4, '350ms'],
    [999.6, '1.0s'],
    [4200, '4.2s'],
    [9960, '10s'],
    [42_000, '42s'],
    [59_600, '1m 00s'],
    [185_000, '3m 05s'],
    [7_380_000, '2h 03m'],
    [86_399_000, '1d 00h'],
    [273_600_000, '3d 04h'],
  ])('%d ms reads as %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text)
  })
})

describe('sizes', () => {
  it.each([
    ['0', 0],
    ['512', 512],
    ['512B', 512],
    ['100k', 100_000],
    ['20M', 20_000_000],
    ['20MB', 20_000_000],
    ['20 mb', 20_000_000],
    ['1Ki', 1024],
    ['1.5GiB', 1_610_612_736],
    ['1MiB', 1_048_576],
    ['2T', 2e12],
    ['0.5k', 500],
  ])('%s is %i bytes', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes)
  })

  it.each(['', 'M', '-1M', '1X', '1iB', '1e6', '1.M', '20 M B', '9999999T', '1MM', '1M\n'])(
    'refuses %j and shows how it is done',
    text => {
      expect(() => parseSize(text)).toThrow(
        expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('1.5GiB') }),
      )
    },
  )

  it.each([
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [1250, '1.3 kB'],
    [99_940, '99.9 kB'],
    [99_960, '100 kB'],
    [999_499, '999 kB'],
    [999_500, '1.0 MB'],
    [12_345_678, '12.3 MB'],
    [45_600_000_000, '45.6 GB'],
    [2e18, '2000 PB'],
  ])('%d bytes read as %s', (bytes, text) => {
    expect(formatBytes(bytes)).toBe(text)
  })

  it('never take more than seven columns below an exabyte', () => {
    fc.assert(
      fc.property(fc.nat(Number.MAX_SAFE_INTEGER), bytes => {
        expect(formatBytes(bytes).length).toBeLessThanOrEqual(7)
      }),
    )
  })
})
