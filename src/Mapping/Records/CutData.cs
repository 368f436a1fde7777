namespace PmrGateway.Mapping;

/// <summary>The data of an attachment that was cut out of its resource while it streamed in, and sealed as a Binary's at once.</summary>
/// <param name="BinaryId">Id of the Binary that it was sealed as, in version 1.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Sha1">SHA-1 of them, as FHIR's <c>hash</c> has it.</param>
/// <param name="Problem">What is wrong with it: then it was not kept, and the resource cannot be.</param>
public sealed record CutData(string BinaryId, long Size, byte[] Sha1, string? Problem)
{
    /// <summary>The bytes, where they may be a resource (<see cref="EnclosedResource.MayBeginWith"/>), else null.</summary>
    public ReadOnlyMemory<byte>? Text { get; init; }

    /// <summary>Characters of the token that stands in its place.</summary>
    public const int TokenSize = 32;
}
