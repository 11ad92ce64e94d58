import { type Command, Option } from 'commander'
import { DrayError, quote } from '../../errors.ts'
import { parseAddress } from '../../server/address.ts'
import type { Collection } from '../../server/garbage/collect.ts'
import type { RequestEvent } from '../../server/server.ts'
import { parseNetwork } from '../../server/trusted-proxies.ts'
import type { CliContext } from '../context.ts'
import { gcLogLine } from '../gc-view.ts'
import * as options from '../options.ts'
import { printable } from '../printable.ts'
import { type LogForm, logLine, warningLine } from '../request-log.ts'
import { type MirrorPlace, openMirrors, parseMirror } from '../serve-mirrors.ts'
import { readServeSettings, type ServeFlags } from '../serve-settings.ts'
import { type CommonFlags, Session } from '../session.ts'
import { parseAge, parseDuration } from '../units.ts'

interface ServeVerbFlags extends ServeFlags, CommonFlags {
  readonly printConfigExample?: boolean
  readonly printConfigSchema?: boolean
}

/** A close that takes longer is explained. */
const sayWaitingMs = 500

const helpHint = 'dray serve --help shows what it takes'

export function define(command: Command, context: CliContext): void {
  command.argument('[dir]', 'the folder; each repository is an OCI layout in it')
  defineServing(command)
  defineAccess(command)
  defineMirrors(command)
  options.addUpstreamOptions(command)
  options.addFormatOption(command, '{{.Url}}')
  options.addCommonOptions(command)
  options.addExamples(command, [
    ['dray serve ./registry', 'a registry at 127.0.0.1:5000, for this machine'],
    ['dray serve ./registry --address 0.0.0.0:5000 --htpasswd users --auth token', 'with logins, for others'],
    ['dray serve --print-config-example >serve.yaml', 'a file with all settings: rules, TLS, mirrors'],
    ['dray serve ./registry --config serve.yaml', 'with the settings of a file'],
    ['dray serve ./cache --mirror docker.io=https://registry-1.docker.io', 'a cache in front of Docker Hub'],
    ['dray copy alpine oci:./registry/alpine:3.20', 'put an image into the folder without the server'],
  ])
  command.addHelpText('after', notes)
  command.action((dir: string | undefined, flags: ServeVerbFlags) => run(dir, flags, context))
}

function defineServing(command: Command): void {
  command
    .option(
      '-a, --address <host:port>',
      'where to listen; port 0 takes a free one (127.0.0.1:5000)',
      parseAddress,
    )
    .option('--config <file>', 'read settings from this YAML file; options are stronger')
    .option('--print-config-example', 'print such a file with all its keys, and do no more')
    .option('--print-config-schema', 'print its JSON Schema, for editors, and do no more')
    .option('--require-blobs', 'refuse a manifest whose layers and config are not there (else warn)')
    .option('--gc [interval]', 'remove now and then what no image needs any more (1h)', parseInterval)
    .option('--grace-period <duration>', 'when ended, let running requests go on so long (5s)', parseDuration)
    .addOption(
      new Option('--log <form>', 'how requests are logged on stderr (text)').choices([
        'text',
        'json',
        'none',
      ]),
    )
    .option('--metrics-address <host:port>', 'where Prometheus finds /metrics; /healthz too', parseAddress)
}

function defineAccess(command: Command): void {
  command
    .optionsGroup('Access options:')
    .option('--read-only', 'refuse every push and delete')
    .option('--htpasswd <file>', 'let only these users in (bcrypt: htpasswd -B)')
    .addOption(
      new Option('--auth <way>', 'how users prove themselves, with --htpasswd (basic)').choices([
        'basic',
        'token',
      ]),
    )
    .option('--token-key <file>', 'sign tokens with this key (PEM), made where there is none')
    .option('--anonymous-pull', 'let everybody pull, with --htpasswd')
    .option('--tls-cert <file>', 'speak HTTPS with this certificate (PEM), read again when it changes')
    .option('--tls-key <file>', "the certificate's key (PEM)")
    .option('--tls-client-ca <file>', 'want client certificates of these CAs (PEM), and take them for logins')
    .option<string[]>(
      '--trusted-proxy <network>',
      "believe this proxy's X-Forwarded-For, -Proto and -Host (10.0.0.0/8); repeatable",
      (text, previous = []) => [...previous, trustedNetwork(text)],
    )
}

function defineMirrors(command: Command): void {
  command
    .optionsGroup('Mirror options:')
    .option<MirrorPlace[]>(
      '--mirror <name=url>',
      'answer for another registry too, and keep what was fetched there; repeatable',
      (text, previous = []) => [...previous, parseMirror(text)],
    )
    .option('--mirror-fresh <duration>', 'look at a tag there again only after so long (30s)', parseDuration)
    .option(
      '--mirror-max-size <size>',
      'keep no more of it than this (any amount)',
      options.parsePositiveSize,
    )
    .option(
      '--mirror-max-age <age>',
      'keep what nobody used for so long no longer (30d); 0: keep it',
      parseAge,
    )
}

const notes = `
SIGINT and SIGTERM let running requests end, a second one does not; SIGHUP has files read again that have changed.
GET /healthz answers 200, without a login.

A mirrored registry NAME is asked at URL, with the logins and settings that other verbs use. What was fetched is
HOST:PORT/NAME/REPOSITORY, an OCI layout below DIR/NAME, and cannot be pushed to; while NAME does not answer, what is
here is given out with a Warning. The README says how docker, containerd and podman are told to ask here.
`

/** Prints the address once it answers, then serves until it is interrupted, which is its normal end. */
async function run(dir: string | undefined, flags: ServeVerbFlags, context: CliContext): Promise<void> {
  const session = new Session(context, flags)
  if (flags.printConfigExample) return printExample(session)
  if (flags.printConfigSchema) return printSchema(session)
  if (dir === undefined) throw new DrayError('USAGE', "missing required argument 'dir'", { hint: helpHint })
  let log = flags.log ?? 'text'
  const onWarning = (message: string) => {
    if (!flags.quiet) context.stderr.write(warningLine(log, message, new Date()))
  }
  const settings = await readServeSettings(flags, { context, onWarning })
  const { startServer } = await import('../../server/server.ts')
  log = flags.quiet ? 'none' : settings.log
  const onRequest = requestLog(log, context)
  const onCollected = (collection: Collection) => {
    context.stderr.write(gcLogLine(log, collection, new Date()) ?? '')
  }
  const gc = settings.server.gc && { ...settings.server.gc, onCollected }
  await using upstreams = openMirrors(settings.mirrors, {
    context,
    flags,
    connection: options.endFlags(flags),
    onWarning,
  })
  const { mirrors } = upstreams
  const server = await startServer({ ...settings.server, mirrors, gc, dir, onRequest, onWarning })
  const stopListening = context.onHangup(() => server.reload())
  try {
    const { url, host, port, metricsUrl } = server
    const auth = settings.server.auth?.kind ?? 'anonymous'
    await session.print({ url, host, port, dir, auth, ...(metricsUrl && { metricsUrl }) }, () =>
      printable(`serving ${dir} at ${url}${metricsUrl === undefined ? '' : `, metrics at ${metricsUrl}`}`),
    )
    await interrupted(context.signal)
  } finally {
    stopListening()
    const waiting = setTimeout(() => session.say('waiting for running requests to end'), sayWaitingMs)
    await server.close()
    clearTimeout(waiting)
  }
}

async function printExample(session: Session): Promise<void> {
  const { serveConfigExample } = await import('../serve-example.ts')
  await session.printRaw(Buffer.from(serveConfigExample))
}

async function printSchema(session: Session): Promise<void> {
  const { serveConfigSchema } = await import('../../server/settings/config-json-schema.ts')
  await session.printRaw(Buffer.from(`${JSON.stringify(serveConfigSchema(), null, 2)}\n`))
}

/** Checked when it is read, so that the option is named. */
function trustedNetwork(text: string): string {
  parseNetwork(text)
  return text
}

/** The word behind it may be meant as something else, since it can be left out. */
function parseInterval(text: string): number {
  const ms = /^\d/.test(text) ? parseDuration(text) : 0
  if (ms > 0) return ms
  throw new DrayError('USAGE', `--gc: ${quote(text)} is no time to wait`, {
    hint: 'give it one, as in --gc 1h, or put it behind the folder',
  })
}

function requestLog(form: LogForm, { stderr }: CliContext): ((event: RequestEvent) => void) | undefined {
  if (form === 'none') return undefined
  return event => stderr.write(logLine(form, event, new Date()) ?? '')
}

function interrupted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
