import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { readPasswordFromStdin } from '../../src/cli/password-stdin.ts'

const read = (...chunks: (string | Buffer)[]) => readPasswordFromStdin(Readable.from(chunks))

describe('a password from stdin', () => {
  it.each([
    ['without a newline', ['hunter2'], 'hunter2'],
    ['with a newline', ['hunter2\n'], 'hunter2'],
    ['with the newline of Windows', ['hunter2\r\n'], 'hunter2'],
    ['with two newlines, of which one is its own', ['a\n\n'], 'a\n'],
    ['that is a JSON file', ['{\n "a": 1\n}\n'], '{\n "a": 1\n}'],
    ['with spaces around', [' a \n'], ' a '],
    ['in pieces that split a character', [Buffer.from([0xc3]), Buffer.from([0xa4])], 'ä'],
    ['that begins with a byte order mark', ['\ufeffa'], '\ufeffa'],
  ])('is taken %s', async (_, chunks, password) => {
    expect(await read(...chunks)).toBe(password)
  })

  it.each([
    ['there is nothing', [''], 'nothing came'],
    ['there is only a newline', ['\n'], 'nothing came'],
    ['it is not text', [Buffer.from([0xff, 0xfe])], 'not UTF-8'],
    ['it is far too large', ['a'.repeat(40_000), 'a'.repeat(40_000)], 'more than 64 KiB'],
  ])('is refused when %s', async (_, chunks, message) => {
    await expect(read(...chunks)).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining(message),
    })
  })

  it('is refused at once when stdin is a terminal', async () => {
    const stdin = Object.assign(new Readable({ read: () => {} }), { isTTY: true })
    await expect(readPasswordFromStdin(stdin)).rejects.toMatchObject({
      message: '--password-stdin: stdin is a terminal',
    })
    stdin.destroy()
  })
})
