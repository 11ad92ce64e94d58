import { openLayout } from '../../src/layout/layout.ts'
import { digestOf } from '../../src/oci/digest.ts'
import { contentOf, piecesOf } from './slow-content.ts'

// A process of its own that puts a blob into a layout, and hangs when it has given out the bytes before END:
// DIR SIZE END. It prints where it was asked to begin.
const [dir = '', size = '', end = size] = process.argv.slice(2)
const bytes = contentOf(Number(size))
const layout = await openLayout(dir, { create: true })
const hang = () => new Promise(() => setInterval(() => console.log('hangs'), 10))
const result = await layout.putBlob(
  { mediaType: 'application/octet-stream', digest: digestOf(bytes), size: bytes.length },
  async (start = 0) => {
    console.log(`start ${start}`)
    const atEnd = end === size ? undefined : hang
    return piecesOf(bytes.subarray(start, Number(end)), { atEnd })
  },
)
console.log(result)
