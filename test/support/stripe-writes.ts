import { layerOf, listImports, listLocalImports, listPackages, type Source } from './sources.ts'

/** The one file that holds what writes to Stripe, and hands it to the ledger. */
const wire = 'src/wire-money.ts'
/** All that it may say about it; the names in it are words of the check below. */
const allowedLines = new Set([
  "import { createStripe } from './providers/stripe.ts'",
  'const { reachability, reads: payments, webhooks, writes } = createStripe({ ...config.stripe, fetch })',
  'const ledger = createLedger({ db, payments, writes, limits: config.money, newId, ...hooks })',
])

const isVendor = (file: string): boolean => /^src\/providers\/stripe(?:-[\w-]+)?\.ts$/.test(file)
const isStandIn = (file: string): boolean => /^src\/sandbox\/stripe(?:\.ts$|\/)/.test(file)
const isEnvironment = (file: string): boolean => /^src\/config(?:-readers|-vendors)?\.ts$/.test(file)

/**
 * Everything in the sources by which money could move past the ledger, one line each. What writes to Stripe cannot be
 * had anywhere else: the SDK, the provider's files, the names of its writes, the key and the address are each confined,
 * and imports must be readable, so that nothing can be had under another name.
 */
export function listStripeBreaches(sources: readonly Source[]): string[] {
  return sources.flatMap(source => [...listImportBreaches(source), ...listLineBreaches(source)])
}

function listImportBreaches(source: Source): string[] {
  const { file } = source
  const breaches: string[] = []
  const usesSdk = listPackages(source).includes('stripe')
  if (usesSdk && !isVendor(file) && !isStandIn(file)) breaches.push(`${file} imports the package stripe`)
  const early = listImports(source).some(({ target, text, typesOnly }) => {
    return target === 'stripe' && !typesOnly && !text.startsWith('import(')
  })
  if (early && isVendor(file)) breaches.push(`${file} imports the package stripe before it is needed`)
  for (const target of listLocalImports(source)) {
    const mayHave = isVendor(file) || file === wire
    if (isVendor(target.file) && !mayHave) breaches.push(`${file} imports ${target.file}`)
    const isLedgerCode = layerOf(target.file) === 'ledger/' && !target.typesOnly
    if (isLedgerCode && layerOf(file) !== 'ledger/' && file !== wire) breaches.push(`${file} imports ${target.file}`)
  }
  return breaches
}

function listLineBreaches({ file, text }: Source): string[] {
  return text
    .split('\n')
    .map((line, index) => ({ at: `${file}:${index + 1}`, line: line.trim() }))
    .filter(({ line }) => !/^(?:\/\/|\/?\*)/.test(line) && isBreach(file, line))
    .map(({ at, line }) => `${at} ${line}`)
}

function isBreach(file: string, line: string): boolean {
  const isOurs = layerOf(file) === 'ledger/' || isVendor(file) || file === 'src/providers/payments.ts'
  // A name that is put together, or quoted as our imports never are, could be any name.
  if (
    /^(?:import|export|\}).*\bfrom\s*["`]|^import\s*["`]|\bimport\((?!')|\bcreateRequire\b|\brequire\(|\bgetBuiltinModule\b/.test(
      line,
    )
  )
    return true
  if (!isOurs && /\b(?:PaymentWrites|WriteAnswer|TransferRequest|PayoutRequest)\b/.test(line)) return !isStandIn(file)
  if (file === wire && /\b(?:writes|createStripe)\b/.test(line)) return !allowedLines.has(line)
  if (!isOurs && /\b(?:createStripe(?:Client)?|createWrites)\b/.test(line)) return true
  // Orders go to the ledger, by that name.
  if (!isOurs && !isStandIn(file) && /(?<!\bledger)(?:\?|!)?\.(?:createTransfer|createPayout)\b/.test(line)) return true
  if (isVendor(file) || isStandIn(file)) return false
  if (/api\.stripe\.com|\bv1\/(?:transfers|payouts|refunds|topups|charges|payment_intents|accounts)\b/.test(line))
    return true
  if (isEnvironment(file) || file === wire || file.startsWith('src/sandbox/')) return false
  return /\.stripe\b(?!\.live\b)|\[['"`]stripe['"`]\]|\{[^}]*\bstripe\b[^}]*\}\s*=(?!=)/.test(line)
}
