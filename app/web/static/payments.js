// Payments that are made up, for /docs/streams.

const ACCOUNTS = 5;
// The model that the first start trains knows merchants by these ids: 1, 2, 3 and so on.
const MERCHANTS = 1200;
const COUNTRIES = ["DE", "FR", "IT", "NL"];
const CHANNELS = ["online", "pos", "atm"];

const upTo = (count) => Math.floor(Math.random() * count);
const oneOf = (choices) => choices[upTo(choices.length)];

function newId() {
  return `page-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10)}`;
}

// Amounts as people pay them: mostly small, a few large ones.
function amount() {
  const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  return Number(Math.exp(3.3 + normal).toFixed(2));
}

export function randomPayment() {
  return {
    event_id: newId(),
    account_id: `page-account-${1 + upTo(ACCOUNTS)}`,
    merchant_id: `${1 + upTo(MERCHANTS)}`,
    amount: amount(),
    currency: "EUR",
    occurred_at: new Date().toISOString(),
    channel: oneOf(CHANNELS),
    country: oneOf(COUNTRIES),
  };
}

// The same payment once more: another event, now.
export function renewed(payment) {
  return { ...payment, event_id: newId(), occurred_at: new Date().toISOString() };
}
