import { describe, expect, it } from 'vitest'
import { parseConfig } from '../../src/oci/config.ts'

const parse = (document: unknown) => parseConfig(Buffer.from(JSON.stringify(document)), 'h.io/app:1')

describe('parseConfig', () => {
  it('reads a whole configuration and keeps the fields that it does not know', () => {
    const document = {
      created: '2024-01-02T03:04:05.123456789Z',
      author: 'someone',
      architecture: 'arm',
      os: 'linux',
      variant: 'v7',
      'os.version': '1',
      config: {
        User: '1000:1000',
        ExposedPorts: { '80/tcp': {} },
        Env: ['PATH=/bin', 'EMPTY='],
        Entrypoint: ['/app'],
        Cmd: ['--help'],
        Volumes: { '/data': {} },
        WorkingDir: '/',
        Labels: { a: 'b' },
        StopSignal: 'SIGTERM',
        Healthcheck: { Test: ['CMD', 'true'] },
      },
      rootfs: { type: 'layers', diff_ids: ['sha256:00'] },
      history: [{ created: '2024', created_by: 'COPY', author: 'me', comment: 'c', empty_layer: true }],
      docker_version: '27.0',
    }
    expect(parse(document)).toEqual(document)
  })

  it('reads the empty config of an artifact', () => {
    expect(parse({})).toEqual({})
  })

  it('reads null anywhere as absent', () => {
    const document = {
      created: null,
      architecture: null,
      config: { Env: null, Cmd: null, Labels: null, ExposedPorts: null, Volumes: null },
      rootfs: { type: 'layers', diff_ids: null },
      history: null,
    }
    const config = parse(document)
    expect(config.config?.Env).toBeUndefined()
    expect(config.config?.Labels).toBeUndefined()
    expect(config.rootfs?.diff_ids).toBeUndefined()
    expect(config.history).toBeUndefined()
    expect(parse({ config: null, rootfs: null }).config).toBeUndefined()
  })

  it('reads a command that is one text, as old builders wrote it', () => {
    expect(parse({ config: { Cmd: 'a b', Entrypoint: 'c' } }).config).toEqual({ Cmd: 'a b', Entrypoint: 'c' })
  })

  it.each([
    ['null', 'expected object'],
    ['[]', 'expected object'],
    ['"x"', 'expected object'],
    ['{"architecture":7}', 'at "architecture": expected string'],
    ['{"config":{"Env":"A=b"}}', 'at "config.Env": expected array'],
    ['{"config":{"Env":[1]}}', 'at "config.Env.0": expected string'],
    ['{"config":{"Labels":{"a":1}}}', 'at "config.Labels.a": expected string'],
    ['{"config":{"Cmd":7}}', 'at "config.Cmd"'],
    ['{"history":[{"empty_layer":"yes"}]}', 'at "history.0.empty_layer": expected boolean'],
    ['{"rootfs":{"diff_ids":{}}}', 'at "rootfs.diff_ids": expected array'],
  ])('refuses %s and says where it is malformed', (text, why) => {
    expect(() => parseConfig(Buffer.from(text), 'h.io/app:1')).toThrow(
      expect.objectContaining({
        code: 'INTEGRITY',
        message: expect.stringMatching(/^h\.io\/app:1: the config is malformed/),
      }),
    )
    expect(() => parseConfig(Buffer.from(text), 'h.io/app:1')).toThrow(why)
  })

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['half a document', Buffer.from('{"os":')],
    ['a gzip', Buffer.from([0x1f, 0x8b, 8, 0])],
    ['UTF-16', Buffer.from('{}', 'utf16le')],
  ])('refuses %s', (_, bytes) => {
    expect(() => parseConfig(bytes, 'h.io/app:1')).toThrow(
      expect.objectContaining({
        code: 'INTEGRITY',
        message: expect.stringContaining('the config is not JSON'),
      }),
    )
  })

  it('does not let keys reach the prototype of objects', () => {
    const text =
      '{"__proto__":{"os":"evil"},"config":{"Labels":{"__proto__":"x","a":"b"},"__proto__":{"User":"root"}}}'
    const config = parseConfig(Buffer.from(text), 'h.io/app:1')
    expect(config.os).toBeUndefined()
    expect(config.config?.User).toBeUndefined()
    expect(config.config?.Labels).toEqual({ a: 'b' })
  })
})
