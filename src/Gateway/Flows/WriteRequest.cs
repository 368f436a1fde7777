using PmrGateway.Fhir;
using PmrGateway.Gateway.Content;
using PmrGateway.Store;

namespace PmrGateway.Gateway.Flows;

/// <summary>What one write asks for.</summary>
/// <param name="Document">The resource; null for a deletion.</param>
/// <param name="Type">Resource type.</param>
/// <param name="Id">Logical id.</param>
/// <param name="Current">The version there is, as the writer sees it; null: the resource is new.</param>
/// <param name="Binary">A Binary's content where it is not inside a document.</param>
public sealed record WriteRequest(ResourceDocument? Document, string Type, string Id, StoredVersion? Current, BinaryContent? Binary = null)
{
    /// <summary>FHIR interaction code.</summary>
    public string Interaction =>
        Document is null && Binary is null
            ? Flows.Interaction.Delete
            : Current is null ? Flows.Interaction.Create
            : IsPatch ? Flows.Interaction.Patch
            : Flows.Interaction.Update;

    /// <summary>What scope it takes.</summary>
    public ScopeAction Action => Interaction switch
    {
        Flows.Interaction.Create => ScopeAction.Create,
        Flows.Interaction.Update or Flows.Interaction.Patch => ScopeAction.Update,
        _ => ScopeAction.Delete,
    };

    /// <summary>Whether the document is what a patch makes of the version that there is.</summary>
    public bool IsPatch { get; init; }

    /// <summary>The version that the write makes.</summary>
    public long Version => (Current?.Version ?? 0) + 1;
}

/// <summary>The content of a Binary.</summary>
/// <param name="ContentType">MIME type.</param>
/// <param name="SecurityContext">Reference of the patient whose rules it shares, or null.</param>
public sealed record BinaryContent(string ContentType, string? SecurityContext)
{
    /// <summary>The bytes, where they are in memory.</summary>
    public ReadOnlyMemory<byte> Bytes { get; init; }

    /// <summary>The bytes, where they went into the blocks while they came in; null: they are <see cref="Bytes"/>.</summary>
    public StreamedContent? Streamed { get; init; }

    /// <summary>The bytes, where they may be a resource, else null (<see cref="ResourceCopy"/>).</summary>
    public ReadOnlyMemory<byte>? Text { get; init; }

    /// <summary>Why the bytes cannot be kept; null: they can.</summary>
    public string? Problem { get; init; }
}

/// <summary>A write that is sealed and may be committed.</summary>
/// <param name="Request">What was asked.</param>
/// <param name="Plan">What it changes: the resource, the Binaries split off it, grants, registrations.</param>
/// <param name="Json">The resource as it will be read; empty for a deletion and a Binary.</param>
public sealed record PreparedWrite(WriteRequest Request, CommitPlan Plan, byte[] Json)
{
    /// <summary>The version of the resource itself: the Binaries split off it come before.</summary>
    public StoredVersion Version => Plan.Versions[^1].Version;
}
