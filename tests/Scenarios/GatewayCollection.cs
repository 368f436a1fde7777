namespace PmrGateway.Tests.Scenarios;

/// <summary>The scenarios that leave the gateway whole share one; those that break something start their own.</summary>
[CollectionDefinition(Name)]
public sealed class GatewayCollection : ICollectionFixture<RunningGateway>
{
    public const string Name = "gateway";
}
