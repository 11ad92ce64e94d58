import { type Command, Option } from 'commander'
import { DrayError } from '../../errors.ts'
import type { Platform } from '../../oci/platform.ts'
import type { Validation } from '../../validate/validate-image.ts'
import type { CliContext } from '../context.ts'
import { type Location, locationText, parseLocation } from '../location.ts'
import * as options from '../options.ts'
import { chooseColor, chooseProgress, type ProgressFlag, progressFlags, startProgress } from '../progress.ts'
import type { Progress } from '../progress-display.ts'
import { type CommonFlags, Session, withSession } from '../session.ts'
import type { ValidationDocument } from '../validate-view.ts'

interface ValidateFlags extends CommonFlags {
  readonly platform?: readonly Platform[]
  readonly fast?: boolean
  readonly jobs?: number
  /** Bytes. */
  readonly maxLayerSize?: number
  readonly retries?: number
  readonly progress: ProgressFlag
}

export function define(command: Command, context: CliContext): void {
  command
    .argument('<image>', locationText)
    .option('--fast', 'read the manifests only; of blobs ask whether they are there, and how long')
    .option('-j, --jobs <n>', 'how many blobs at a time (8)', options.parsePositive)
    .option(
      '--max-layer-size <size>',
      'the most that a layer may unpack to (256Gi)',
      options.parsePositiveSize,
    )
    .addOption(
      new Option('--progress <form>', 'how progress is shown on stderr')
        .choices(progressFlags)
        .default('auto'),
    )
    .action((text: string, flags: ValidateFlags) => run(text, flags, context))
  options.addPlatformOption(command, 'only the images for this platform; repeatable')
  options.addFormatOption(command, '{{.Valid}}')
  options.addCommonOptions(command)
  options.addEndOptions(command)
  options.addExamples(command, [
    ['dray validate ghcr.io/org/app:1.2', 'all platforms, to the last entry of each layer'],
    ['dray validate --fast ghcr.io/org/app:1.2', 'only whether all of it is there'],
    ['dray validate --platform linux/amd64 oci:./layout:1.0', 'one platform, in an OCI layout'],
    ['dray validate --format json alpine', 'the findings for a script; the exit code is 6 for an error'],
  ])
}

async function run(text: string, flags: ValidateFlags, context: CliContext): Promise<void> {
  const location = parseLocation(text)
  const { env, stdout, stderr } = context
  const surroundings = { env, isTTY: stderr.isTTY === true }
  const kind = chooseProgress({ flag: flags.progress, quiet: flags.quiet ?? false, ...surroundings })
  const progress = await startProgress(kind, { stream: stderr, color: chooseColor(surroundings) })
  try {
    const validation = await validate(location, flags, { context, progress })
    progress.stop()
    const document = { reference: location.text, fast: flags.fast ?? false, ...validation }
    const { outcome, validationText } = await import('../validate-view.ts')
    const color = chooseColor({ env, isTTY: stdout.isTerminal })
    await new Session(context, flags).print(document, () => validationText(document, { color }))
    if (!document.valid) throw conclusion(document, outcome(document))
  } finally {
    progress.stop()
  }
}

async function validate(
  location: Location,
  flags: ValidateFlags,
  { context, progress }: { context: CliContext; progress: Progress },
): Promise<Validation> {
  const { onEvent } = progress
  const session = new Session(context, flags, { locations: [location], onEvent })
  return withSession(session, async () => {
    const { validateImage } = await import('../../validate/validate-image.ts')
    const { store, reference, jobs } = await session.openSource(location, options.endFlags(flags))
    return validateImage({
      source: store,
      reference,
      platforms: flags.platform,
      fast: flags.fast,
      jobs: flags.jobs ?? jobs,
      maxLayerBytes: flags.maxLayerSize,
      reading: { retries: flags.retries, onRetry: retry => onEvent({ type: 'retry', ...retry }) },
      onEvent,
      signal: context.signal,
    })
  })
}

/** The findings themselves are on stdout. */
function conclusion({ reference }: ValidationDocument, outcome: string): DrayError {
  return new DrayError('INTEGRITY', `${reference} is not valid: ${outcome}`)
}
