"""The rows of one lane: clients take turns, and so do the calls of a client. Used by one thread only."""

from collections import OrderedDict, deque

from workers.runner.calls import Call, Row

# So many bytes of a row cost its client one turn more: large pictures and tensors take longer to work on.
BYTES_PER_TURN = 64 * 1024
_NEVER = float("inf")


class ClientRows:
    """What waits of one client: its calls, row by row in turn, and the turns it has saved up for a large row."""

    __slots__ = ("calls", "credit", "row_count", "size_bytes")

    def __init__(self) -> None:
        self.calls: deque[deque[Row]] = deque()
        self.credit = 0
        self.row_count = 0
        self.size_bytes = 0

    def add(self, call: Call) -> None:
        """Let the rows of a call wait."""
        self.calls.append(deque(call.rows))
        self.row_count += len(call.rows)
        self.size_bytes += call.size_bytes

    def next_cost(self) -> int:
        """Return how many turns the next row takes."""
        return 1 + self.calls[0][0].size_bytes // BYTES_PER_TURN

    def take(self) -> Row:
        """Remove and return the next row; the one after it is of another call, if there is one."""
        rows = self.calls.popleft()
        row = rows.popleft()
        if rows:
            self.calls.append(rows)
        self.row_count -= 1
        self.size_bytes -= row.size_bytes
        return row

    def remove_expired(self, now: float) -> list[Call]:
        """Remove and return the calls whose deadline has passed."""
        late = [rows for rows in self.calls if rows[0].call.deadline <= now]
        if late:
            self.calls = deque(rows for rows in self.calls if rows[0].call.deadline > now)
            self.row_count -= sum(map(len, late))
            self.size_bytes -= sum(row.size_bytes for rows in late for row in rows)
        return [rows[0].call for rows in late]

    def next_expiry(self) -> float:
        """Return the first deadline of its calls."""
        return min(rows[0].call.deadline for rows in self.calls)


class FairRows:
    """Deficit round robin: each turn gives a client one credit, and its next row goes when it has what that costs.

    So a client that sends little is served after one row of each other client, however much those have waiting.
    """

    def __init__(self) -> None:
        # The first one is next.
        self._clients: OrderedDict[str, ClientRows] = OrderedDict()
        self._row_count = 0
        self.size_bytes = 0
        # No call expires before: it may be too early, never too late.
        self._next_expiry = _NEVER

    def __len__(self) -> int:
        return self._row_count

    @property
    def client_count(self) -> int:
        """How many clients have rows here."""
        return len(self._clients)

    def held(self, client_id: str) -> tuple[int, int]:
        """Return how many rows of a client wait, and their bytes."""
        client = self._clients.get(client_id)
        return (0, 0) if client is None else (client.row_count, client.size_bytes)

    def ahead(self, client_id: str) -> int:
        """Return how many rows are served before a new one of a client, about: its own, and as many of each other."""
        own, _ = self.held(client_id)
        others = (other.row_count for name, other in self._clients.items() if name != client_id)
        return own + sum(min(count, own + 1) for count in others)

    def add(self, call: Call) -> None:
        """Let the rows of a call wait."""
        client = self._clients.get(call.client_id)
        if client is None:
            client = self._clients[call.client_id] = ClientRows()
        client.add(call)
        self._row_count += len(call.rows)
        self.size_bytes += call.size_bytes
        self._next_expiry = min(self._next_expiry, call.deadline)

    def take(self) -> Row:
        """Remove and return the row whose turn it is; there must be one."""
        name, client = self._next_client()
        row = client.take()
        if client.calls:
            self._clients[name] = client
        self._row_count -= 1
        self.size_bytes -= row.size_bytes
        return row

    def remove_expired(self, now: float) -> list[Call]:
        """Remove and return the calls whose deadline has passed."""
        if now < self._next_expiry:
            return []

        expired = [call for client in self._clients.values() for call in client.remove_expired(now)]
        self._clients = OrderedDict((name, client) for name, client in self._clients.items() if client.calls)
        self._row_count = sum(client.row_count for client in self._clients.values())
        self.size_bytes = sum(client.size_bytes for client in self._clients.values())
        self._next_expiry = min((client.next_expiry() for client in self._clients.values()), default=_NEVER)
        return expired

    def _next_client(self) -> tuple[str, ClientRows]:
        while True:
            name, client = self._clients.popitem(last=False)
            cost = client.next_cost()
            client.credit += 1
            # Who is alone waits for nobody.
            if client.credit >= cost or not self._clients:
                client.credit = max(0, client.credit - cost)
                return name, client
            self._clients[name] = client
