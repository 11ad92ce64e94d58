import { open, stat } from 'node:fs/promises'
import { FileAppender } from '../files/file-appender.ts'
import { ifThere, onDisk } from '../files/io-error.ts'
import { linkTarget } from '../files/link-target.ts'
import { replaceFile } from '../files/replace-file.ts'
import { type Flow, pour } from '../flow.ts'
import type { Stdout } from './stdout.ts'

/** Few enough writes that a pipe is kept busy, little enough to be no burden. */
const gatheredBytes = 256 * 1024

/**
 * Writes content to a file, which gets it whole or stays as it was; what is no plain file, such as a device or a named pipe,
 * is written to as it is.
 * @throws DrayError `IO`, and what the content throws
 */
export async function writeOutputFile(path: string, content: Flow): Promise<void> {
  const target = await linkTarget(path)
  const found = await ifThere(onDisk(target, stat(target)))
  if (found !== undefined && !found.isFile() && !found.isDirectory()) return writeInto(target, content)
  await replaceFile(target, async file => {
    const appender = new FileAppender(file, { path, position: 0 })
    try {
      await pour(content, piece => appender.add(piece))
    } finally {
      await appender.end()
    }
  })
}

/**
 * Writes content that comes in many small pieces to stdout, in larger ones.
 * @throws OutputClosed, DrayError `IO`, and what the content throws
 */
export async function writeGathered(content: Flow, stdout: Stdout): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(gatheredBytes)
  let filled = 0
  const flush = async () => {
    await stdout.write(buffer.subarray(0, filled))
    filled = 0
  }
  await pour(content, async piece => {
    for (let rest = piece; rest.length > 0; ) {
      const part = rest.subarray(0, buffer.length - filled)
      buffer.set(part, filled)
      filled += part.length
      rest = rest.subarray(part.length)
      if (filled === buffer.length) await flush()
    }
  })
  if (filled > 0) await flush()
}

async function writeInto(path: string, content: Flow): Promise<void> {
  await using file = await onDisk(path, open(path, 'w'))
  await onDisk(path, file.writeFile(content))
}
