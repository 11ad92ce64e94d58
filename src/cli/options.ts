import type { Command } from 'commander'
import { InvalidArgumentError, Option } from 'commander'
import { DrayError } from '../errors.ts'
import type { Platform } from '../oci/platform.ts'
import { parsePlatform } from '../oci/platform.ts'
import { type OutputFormat, parseFormat } from './output.ts'
import { parseDuration, parseSize } from './units.ts'

/** How to reach one end, as the flags say. */
export interface EndFlags {
  readonly plainHttp?: boolean
  readonly insecure?: boolean
  readonly caFile?: string
  readonly certFile?: string
  readonly keyFile?: string
  readonly username?: string
  readonly password?: string
  readonly passwordStdin?: boolean
  readonly identityToken?: string
  readonly authfile?: string
  readonly header?: readonly string[]
  /** Milliseconds. */
  readonly timeout?: number
  readonly retries?: number
  /** Milliseconds. */
  readonly maxRetryAfter?: number
  readonly requestsPerSecond?: number
}

/** Which end a flag is for; without a prefix, the only end or both. */
export type EndPrefix = '' | 'from' | 'to'

interface EndOption {
  readonly name: keyof EndFlags
  readonly flags: string
  readonly text: string
  /** For verbs with one end. */
  readonly short?: string
  readonly read?: (value: string, previous: unknown) => unknown
  /** Says something about one registry alone, so that a verb with two ends takes it with a prefix only. */
  readonly personal?: boolean
}

const endOptions: readonly EndOption[] = [
  { name: 'plainHttp', flags: 'plain-http', text: 'speak plain HTTP (the default on loopback only)' },
  { name: 'insecure', flags: 'insecure', text: 'accept any TLS certificate' },
  { name: 'caFile', flags: 'ca-file <file>', text: 'trust the CAs in this PEM file too' },
  { name: 'certFile', flags: 'cert-file <file>', text: 'client certificate in PEM', personal: true },
  { name: 'keyFile', flags: 'key-file <file>', text: "client certificate's key in PEM", personal: true },
  { name: 'username', short: 'u', flags: 'username <name>', text: 'log in with this name', personal: true },
  {
    name: 'password',
    short: 'p',
    flags: 'password <password>',
    text: 'the password (others may see it in the process list)',
    personal: true,
  },
  {
    name: 'passwordStdin',
    flags: 'password-stdin',
    text: 'read the password from standard input',
    personal: true,
  },
  {
    name: 'identityToken',
    flags: 'identity-token <token>',
    text: 'log in with an OAuth2 refresh token',
    personal: true,
  },
  { name: 'authfile', flags: 'authfile <file>', text: 'look for credentials in this file first' },
  {
    name: 'header',
    flags: 'header <line>',
    text: 'send "Name: value" with every request; repeatable',
    read: collect,
    personal: true,
  },
  {
    name: 'timeout',
    flags: 'timeout <duration>',
    text: 'bound each wait: connecting, an answer, a stalled body (60s)',
    read: parseDuration,
  },
  {
    name: 'retries',
    flags: 'retries <number>',
    text: 'try again so often after a passing fault (5)',
    read: parseCount,
  },
  {
    name: 'maxRetryAfter',
    flags: 'max-retry-after <duration>',
    text: 'the longest Retry-After to wait for (2m)',
    read: parseDuration,
  },
  {
    name: 'requestsPerSecond',
    flags: 'requests-per-second <number>',
    text: 'send no more requests than this to a registry; may be a fraction',
    read: parseRate,
  },
]

/** Adds the connection flags of a verb with one end. */
export function addEndOptions(command: Command): Command {
  command.optionsGroup('Connection options:')
  for (const option of endOptions) command.addOption(createEndOption(option, ''))
  return command
    .addOption(new Option('--no-plain-http', 'speak TLS, on loopback too'))
    .optionsGroup('Options:')
}

/** Where somebody waits for the answer, it is given up sooner. */
const upstreamTexts: Readonly<Partial<Record<keyof EndFlags, string>>> = {
  timeout: 'bound each wait: connecting, an answer, a stalled body (15s)',
  retries: 'try again so often after a passing fault (1)',
  maxRetryAfter: 'the longest Retry-After to wait for (5s)',
}

/** Adds the connection flags of who asks several registries at once, each at a URL that says whether it speaks TLS. */
export function addUpstreamOptions(command: Command): Command {
  command.optionsGroup('Connection options, for the registries that are mirrored:')
  for (const option of endOptions) {
    if (option.personal || option.name === 'plainHttp') continue
    command.addOption(createEndOption({ ...option, text: upstreamTexts[option.name] ?? option.text }, ''))
  }
  return command.optionsGroup('Options:')
}

/** Adds the connection flags of a verb with two ends: for both, and with `--from-` and `--to-` for one. */
export function addTwoEndOptions(command: Command): Command {
  command.optionsGroup('Connection options (with --from- or --to- in front, for one end only):')
  for (const option of endOptions) {
    if (!option.personal) command.addOption(createEndOption(option, ''))
    for (const prefix of ['from', 'to'] as const) {
      command.addOption(createEndOption(option, prefix).hideHelp(!option.personal || prefix === 'to'))
    }
  }
  for (const prefix of ['', 'from-', 'to-']) {
    command.addOption(
      new Option(`--no-${prefix}plain-http`, 'speak TLS, on loopback too').hideHelp(prefix !== ''),
    )
  }
  return command.optionsGroup('Options:')
}

/** The flags of one end out of commander's parsed options; a prefixed flag is stronger than one for both ends. */
export function endFlags(options: object, prefix: EndPrefix = ''): EndFlags {
  const given = options as Readonly<Record<string, unknown>>
  const flags: Record<string, unknown> = {}
  for (const { name } of endOptions) {
    const prefixed = prefix === '' ? undefined : given[`${prefix}${name[0]?.toUpperCase()}${name.slice(1)}`]
    const value = prefixed ?? given[name]
    if (value !== undefined) flags[name] = value
  }
  return flags
}

/** Flags that every verb takes: `--debug` and `--quiet`. */
export function addCommonOptions(command: Command): Command {
  return command
    .option('-q, --quiet', 'print results and errors only')
    .option('--debug', 'show every request on stderr, and the stack of an error')
}

/** Adds `--format`, which is `text` by default. */
export function addFormatOption(command: Command, example: string): Command {
  const text = `text, json, jsonl, or a template such as '${example}'`
  const option = new Option('--format <format>', text).argParser(parseFormat)
  return command.addOption(option.default({ kind: 'text' } satisfies OutputFormat, 'text'))
}

/** `--platform`, which may be repeated where a subset makes sense. */
export function addPlatformOption(command: Command, text: string): Command {
  return command.option<Platform[]>('--platform <os/arch>', text, (value, previous: Platform[] = []) => [
    ...previous,
    parsePlatform(value),
  ])
}

/** Examples for `--help`, a command line with what it does behind each. */
export function addExamples(command: Command, examples: readonly (readonly [string, string])[]): Command {
  const width = Math.max(...examples.map(([line]) => line.length))
  const lines = examples.map(([line, text]) =>
    width > 60 ? `  # ${text}\n  ${line}` : `  ${line.padEnd(width)}  ${text}`,
  )
  return command.addHelpText('after', `\nExamples:\n${lines.join('\n')}\n`)
}

/** @throws InvalidArgumentError, to which commander adds the option's name */
export function parseCount(text: string): number {
  return parseWhole(text, 0)
}

/** @throws InvalidArgumentError, to which commander adds the option's name */
export function parsePositive(text: string): number {
  return parseWhole(text, 1)
}

/**
 * Reads a size that something is limited to.
 * @throws DrayError `USAGE`, or InvalidArgumentError, to which commander adds the option's name
 */
export function parsePositiveSize(text: string): number {
  const bytes = parseSize(text)
  if (bytes > 0) return bytes
  throw new InvalidArgumentError('It must be more than 0.')
}

function parseWhole(text: string, least: number): number {
  if (/^\d{1,6}$/.test(text) && Number(text) >= least) return Number(text)
  throw new InvalidArgumentError(`It must be a whole number from ${least} on.`)
}

function parseRate(text: string): number {
  if (/^\d{1,6}(\.\d{1,6})?$/.test(text) && Number(text) > 0) return Number(text)
  throw new InvalidArgumentError('It must be a number above 0, such as 10 or 0.5.')
}

function createEndOption({ flags, short, text, read }: EndOption, prefix: EndPrefix): Option {
  const long = `--${prefix === '' ? '' : `${prefix}-`}${flags}`
  const option = new Option(prefix === '' && short !== undefined ? `-${short}, ${long}` : long, text)
  return read === undefined ? option : option.argParser(read)
}

function collect(value: string, previous: unknown): string[] {
  return [...(Array.isArray(previous) ? previous : []), value]
}

/** @throws DrayError `USAGE` when `--platform` was given more than once to a verb that takes one */
export function onePlatform(platforms: readonly Platform[] | undefined): Platform | undefined {
  if ((platforms?.length ?? 0) > 1) throw new DrayError('USAGE', '--platform can be given once here')
  return platforms?.[0]
}
