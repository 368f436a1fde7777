using PmrGateway.Ipfs;
using PmrGateway.Vault;

namespace PmrGateway.Gateway.Content;

/// <summary>Which version of which resource a body will be of: it opens as that one only.</summary>
/// <param name="Type">Resource type.</param>
/// <param name="Id">Logical id.</param>
/// <param name="Version">Version, from 1.</param>
/// <param name="SizeHint">How many bytes will come, where that is known; 0 where not.</param>
public sealed record SealContext(string Type, string Id, long Version, long SizeHint = 0);

/// <summary>Sealed bytes that lie in the block store.</summary>
/// <param name="Root">The root of their IPFS file.</param>
/// <param name="Key">What opens them.</param>
/// <param name="Size">Bytes of plaintext; null where nobody kept it: the root block tells.</param>
public sealed record SealedContent(Cid Root, SealedKey Key, long? Size);

/// <summary>A part of a body: the bytes from one offset up to, not including, another.</summary>
/// <param name="From">Offset of the first byte.</param>
/// <param name="To">Offset behind the last.</param>
public readonly record struct ByteRange(long From, long To);
