/*
 * transfer_body.c
 *	  The body of a response as its reader gets it: out of the ring, decoded.
 *
 * Nothing here runs inside of libcurl, and so it may raise errors (of memory alone).
 */
#include "postgres.h"

#include "source/transfer.h"
#include "utils/memutils.h"

static TransferRead next_bytes(Transfer *transfer, const char **data, size_t *len);
static bool begin_decoding(Transfer *transfer);
static size_t next_wire_bytes(Transfer *transfer, const char **data);

TransferRead
transfer_read(Transfer *transfer, const char **data, size_t *len)
{
	TransferRead found = next_bytes(transfer, data, len);

	if (found == TRANSFER_READ_DATA)
		transfer->client->counters.bytes_received += *len;
	return found;
}

static TransferRead
next_bytes(Transfer *transfer, const char **data, size_t *len)
{
	bool		has_pushed = false;

	*data = "";
	*len = 0;
	if (!transfer->decoder_begun && ring_has_more(&transfer->ring) && !begin_decoding(transfer))
		return TRANSFER_READ_BROKEN;
	if (!content_decoder_is_needed(transfer->decoder))
	{
		*len = next_wire_bytes(transfer, data);
		return *len > 0 ? TRANSFER_READ_DATA : TRANSFER_READ_NOTHING;
	}
	for (;;)
	{
		const char *wire;
		size_t		wire_len;

		switch (content_decoder_pull(transfer->decoder, data, len))
		{
			case CONTENT_DATA:
				return TRANSFER_READ_DATA;
			case CONTENT_BROKEN:
				transfer->undecodable = true;
				return TRANSFER_READ_BROKEN;
			case CONTENT_NEEDS_INPUT:
				break;
		}
		if (has_pushed)
			return TRANSFER_READ_DATA;
		wire_len = next_wire_bytes(transfer, &wire);
		if (wire_len == 0)
			return TRANSFER_READ_NOTHING;
		content_decoder_push(transfer->decoder, wire, wire_len);
		has_pushed = true;
	}
}

/* The header has come: the decoder learns of the codings; false where it does not know one. */
static bool
begin_decoding(Transfer *transfer)
{
	static const char name[] = "Content-Encoding:";
	size_t		at = 0;

	transfer->decoder_begun = true;
	while (at < transfer->header_used)
	{
		const char *line = transfer->header + at;

		at += strlen(line) + 1;
		if (pg_strncasecmp(line, name, sizeof(name) - 1) == 0 &&
			!content_decoder_add(transfer->decoder, line + sizeof(name) - 1))
		{
			transfer->undecodable = true;
			return false;
		}
	}
	return true;
}

/* The next bytes as they came; 0 when none are there. */
static size_t
next_wire_bytes(Transfer *transfer, const char **data)
{
	size_t		len = ring_hold(&transfer->ring, data);

	/* goes on when half is free, rather than for every few bytes */
	if (transfer->paused && ring_space(&transfer->ring) >= transfer->ring.size / 2)
	{
		transfer->paused = false;
		client_unpause(transfer->client, transfer->easy);
		if (len == 0)
			len = ring_hold(&transfer->ring, data);
	}
	return len;
}

bool
transfer_has_more(const Transfer *transfer)
{
	return ring_has_more(&transfer->ring) || content_decoder_has_more(transfer->decoder);
}

TransferOutcome
transfer_decoding_outcome(Transfer *transfer)
{
	/* where there is no body (RFC 9110 section 6.4.1), a coding says what there would have been */
	if (transfer->body_bytes == 0 &&
		(transfer->bodyless || transfer->status == 204 || transfer->status == 205 || transfer->status == 304))
		return TRANSFER_COMPLETE;

	if (!transfer->decoder_begun)
		begin_decoding(transfer);
	if (transfer->undecodable)
		return content_decoder_knows_codings(transfer->decoder) ? TRANSFER_UNDECODABLE : TRANSFER_CODING_UNKNOWN;
	return content_decoder_finish(transfer->decoder) ? TRANSFER_COMPLETE : TRANSFER_UNDECODABLE;
}

void
transfer_decode_error_body(Transfer *transfer)
{
	char	   *decoded;
	size_t		used = 0;
	const char *data;
	size_t		len;

	if (transfer->error_len == 0 || transfer->decoder_begun)
		return;
	if (!begin_decoding(transfer))
		transfer->error_len = 0;	/* it is not known what it says */
	if (transfer->error_len == 0 || !content_decoder_is_needed(transfer->decoder))
		return;

	decoded = MemoryContextAlloc(transfer->context, MAX_ERROR_BODY + 1);
	content_decoder_push(transfer->decoder, transfer->error_body, transfer->error_len);
	while (used < MAX_ERROR_BODY && content_decoder_pull(transfer->decoder, &data, &len) == CONTENT_DATA)
	{
		len = Min(len, MAX_ERROR_BODY - used);
		memcpy(decoded + used, data, len);
		used += len;
	}
	decoded[used] = '\0';
	pfree(transfer->error_body);
	transfer->error_body = decoded;
	transfer->error_len = used;
}
