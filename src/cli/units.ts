import { DrayError, quote } from '../errors.ts'

const millisecondsOf: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** The longest wait that a timer of Node keeps to, in milliseconds (about 24 days). */
const maxDurationMs = 2 ** 31 - 1

/**
 * Reads `500ms`, `30s`, `5m`, `1h`, `1m30s`; a bare number is seconds. Returns milliseconds.
 * @throws DrayError `USAGE`
 */
export function parseDuration(text: string): number {
  const seconds = /^\d+(?:\.\d+)?$/.test(text) ? `${text}s` : text
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(seconds)) {
    throw new DrayError('USAGE', `invalid duration ${quote(text)}`, {
      hint: 'for example 500ms, 30s, 5m or 1h; a bare number is seconds',
    })
  }
  let total = 0
  for (const [, amount, unit] of seconds.matchAll(/([\d.]+)(ms|s|m|h)/g))
    total += Number(amount) * (millisecondsOf[unit ?? ''] ?? 0)
  if (total > maxDurationMs) {
    throw new DrayError('USAGE', `invalid duration ${quote(text)}: longer than 24 days`, {
      hint: 'for example 30s or 5m',
    })
  }
  return Math.round(total)
}

/**
 * Reads an age: `30d`, `12h`, or `0`. Where days are usual a bare number may be meant to be days, so there is none.
 * Returns milliseconds.
 * @throws DrayError `USAGE`
 */
export function parseAge(text: string): number {
  const days = /^(\d{1,5})d$/.exec(text)?.[1]
  if (days !== undefined) return Number(days) * 86_400_000
  if (text === '0' || /[a-z]$/.test(text)) return parseDuration(text)
  throw new DrayError('USAGE', `invalid age ${quote(text)}: it needs a unit`, {
    hint: 'for example 30d or 12h',
  })
}

/**
 * Reads `20M` (20 × 10^6), `1.5GiB` (1.5 × 2^30), `100k`, `512` (bytes); a `B` behind changes nothing, and neither
 * does the case. Returns bytes.
 * @throws DrayError `USAGE`
 */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?) ?(?:([kmgt])(i?))?b?$/i.exec(text)
  const [, amount, prefix = '', binary] = match ?? []
  const power = ' kmgt'.indexOf(prefix.toLowerCase() || ' ')
  const bytes = Math.round(Number(amount) * (binary ? 1024 : 1000) ** power)
  if (match && Number.isSafeInteger(bytes)) return bytes
  throw new DrayError('USAGE', `invalid size ${quote(text)}`, {
    hint: 'for example 512, 100k, 20M (20 × 10^6) or 1.5GiB (1.5 × 2^30)',
  })
}

const byteUnits = ['kB', 'MB', 'GB', 'TB', 'PB']

/** `999 B`, `1.2 kB`, `12.3 MB`, `123 GB`: powers of ten, three digits. */
export function formatBytes(bytes: number): string {
  if (bytes < 999.5) return `${Math.round(bytes)} B`
  let value = bytes / 1000
  let unit = 0
  while (value >= 999.5 && unit < byteUnits.length - 1) {
    value /= 1000
    unit += 1
  }
  return `${value.toFixed(value < 99.95 ? 1 : 0)} ${byteUnits[unit]}`
}

/** `350ms`, `4.2s`, `42s`, `3m 05s`, `2h 03m`, `3d 04h`. */
export function formatDuration(ms: number): string {
  if (ms < 999.5) return `${Math.round(ms)}ms`
  if (ms < 9950) return `${(ms / 1000).toFixed(1)}s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return twoUnits(seconds, 60, 'ms')
  const minutes = Math.round(seconds / 60)
  if (minutes < 24 * 60) return twoUnits(minutes, 60, 'hm')
  return twoUnits(Math.round(minutes / 60), 24, 'dh')
}

function twoUnits(amount: number, base: number, units: string): string {
  const rest = String(amount % base).padStart(2, '0')
  return `${Math.floor(amount / base)}${units[0]} ${rest}${units[1]}`
}
