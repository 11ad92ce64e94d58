import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { runHelperAction } from '../../src/keychain/protocol.ts'
import { errorOf, everythingSaid } from '../credentials/sandbox.ts'
import { fakeKeychain } from './fake-keychain.ts'

/** Runs an action on the entries and returns what is to be printed. */
function act(action: string, input: string | Buffer = '', entries = new Map<string, string>()) {
  return runHelperAction({
    args: [action],
    input: Readable.from([input]),
    version: '1.2.3',
    openKeychain: async () => fakeKeychain(entries),
  })
}

/** The error of a run that has to fail before it opens the keychain. */
function refusal(args: readonly string[], input: string | Buffer = '') {
  const openKeychain = () => Promise.reject(new Error('the keychain was opened'))
  return errorOf(runHelperAction({ args, input: Readable.from([input]), version: '1.2.3', openKeychain }))
}

const login = '{"Username":"u","Secret":"s"}'

describe('a login', () => {
  it('is kept in one entry under its server URL, and found as it was stored', async () => {
    const entries = new Map<string, string>()
    const stored = { ServerURL: 'https://index.docker.io/v1/', Username: 'ü', Secret: '{"a":\n"\u0000 1"}' }
    expect(await act('store', JSON.stringify(stored), entries)).toBe('')
    expect([...entries.keys()]).toEqual(['https://index.docker.io/v1/'])
    expect(await act('get', 'https://index.docker.io/v1/\n', entries)).toBe(`${JSON.stringify(stored)}\n`)
  })

  it('takes the place of the one before it, and leaves others alone', async () => {
    const entries = new Map([
      ['a', login],
      ['b', login],
    ])
    await act('store', '{"ServerURL":"a","Username":"new","Secret":"x"}', entries)
    expect(await act('list', 'unused', entries)).toBe('{"a":"new","b":"u"}\n')
  })

  it('is erased, and to erase it again is no failure', async () => {
    const entries = new Map([
      ['a', login],
      ['b', login],
    ])
    expect(await act('erase', ' a\n', entries)).toBe('')
    expect([...entries.keys()]).toEqual(['b'])
    expect(await act('erase', 'a', entries)).toBe('')
  })

  it('that is not there is told in the words that docker knows', async () => {
    expect(await errorOf(act('get', 'a'))).toMatchObject({
      code: 'NOT_FOUND',
      message: 'credentials not found in native keychain',
      hint: undefined,
    })
  })

  it.each(['hunter2', '{"Username":"u"}', '{"Username":1,"Secret":"hunter2"}', '["hunter2"]', 'null'])(
    'is not what an entry like %s is',
    async entry => {
      const entries = new Map([['a', entry]])
      const error = await errorOf(act('get', 'a', entries))
      expect(error).toMatchObject({
        code: 'INTEGRITY',
        message: 'the entry for "a" in the keychain is not a login',
      })
      expect(everythingSaid(error)).not.toContain('hunter2')
      expect(await act('list', '', entries)).toBe('{}\n')
    },
  )
})

const notALogin = 'the input is not a JSON object with ServerURL, Username and Secret'

describe('an input that makes no sense is refused before the keychain is opened:', () => {
  it.each<[action: string, input: string | Buffer, message: string]>([
    ['get', '', 'no credentials server URL'],
    ['get', ' \n', 'no credentials server URL'],
    ['erase', '', 'no credentials server URL'],
    ['get', 'a\nb', 'the server URL has control characters'],
    ['erase', 'a\u001b[31m', 'the server URL has control characters'],
    ['get', 'a'.repeat(513), 'the server URL is longer than 512 characters'],
    ['get', ' '.repeat(512 * 1024 + 1), 'the input has more than 512 KiB'],
    ['get', Buffer.from([0x61, 0xff]), 'the input is not UTF-8 text'],
    ['store', '{"Username":"u","Secret":"hunter2"}', 'no credentials server URL'],
    ['store', '{"ServerURL":"a","Secret":"hunter2"}', 'no credentials username'],
    [
      'store',
      '{"ServerURL":"a\\u0000","Username":"u","Secret":"hunter2"}',
      'the server URL has control characters',
    ],
    ['store', '', notALogin],
    ['store', 'hunter2', notALogin],
    ['store', '{"Secret":"hunter2"', notALogin],
    ['store', 'null', notALogin],
    ['store', '{"ServerURL":"a","Username":"u","Secret":["hunter2"]}', notALogin],
  ])('%s %j', async (action, input, message) => {
    const error = await refusal([action], input)
    expect(error).toMatchObject({ code: 'USAGE', message })
    expect(everythingSaid(error)).not.toContain('hunter2')
  })

  it.each([
    [[], 'Usage: docker-credential-dray <store|get|erase|list|version>'],
    [['get', 'ghcr.io'], 'Usage: docker-credential-dray <store|get|erase|list|version>'],
    [['constructor'], 'docker-credential-dray: unknown action: "constructor"'],
    [['\u001b[31m'], 'docker-credential-dray: unknown action: "\\u{1b}[31m"'],
  ])('the arguments %j', async (args, message) => {
    expect(await refusal(args)).toMatchObject({ code: 'USAGE', message })
  })
})

it('a secret of 64 KiB passes, whatever its characters are', async () => {
  const Secret = '\u0001'.repeat(64 * 1024)
  const entries = new Map<string, string>()
  await act('store', JSON.stringify({ ServerURL: 'a', Username: 'u', Secret }), entries)
  expect(JSON.parse(await act('get', 'a', entries))).toMatchObject({ Secret })
})

it.each([
  ['version', 'docker-credential-dray (drayage) 1.2.3\n'],
  ['--version', 'docker-credential-dray (drayage) 1.2.3\n'],
  ['--help', 'Usage: docker-credential-dray <store|get|erase|list|version>\n'],
])('%s needs no keychain', async (action, printed) => {
  const openKeychain = () => Promise.reject(new Error('the keychain was opened'))
  const run = { args: [action], input: Readable.from([]), version: '1.2.3', openKeychain }
  expect(await runHelperAction(run)).toBe(printed)
})
