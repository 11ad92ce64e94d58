import { isDrayError } from '../errors.ts'
import { openNativeKeychain } from '../keychain/native-keychain.ts'
import { runHelperAction } from '../keychain/protocol.ts'
import { tolerateClosedPipe } from './stdout.ts'
import { version } from './version.ts'

/** Runs `docker-credential-dray` on this process's arguments and sets its exit code; errors go to stdout, as docker reads them. */
export async function main(): Promise<void> {
  const stdout = tolerateClosedPipe(process.stdout)
  try {
    stdout.write(
      await runHelperAction({
        args: process.argv.slice(2),
        input: process.stdin,
        version,
        openKeychain: () => openNativeKeychain({ platform: process.platform }),
      }),
    )
  } catch (error) {
    if (!isDrayError(error)) throw error
    stdout.write(`${error.message}\n${error.hint === undefined ? '' : `hint: ${error.hint}\n`}`)
    process.exitCode = 1
  }
}
