using PmrGateway.Gateway.Content;
using PmrGateway.Gateway.Options;
using PmrGateway.Ipfs;

namespace PmrGateway.Gateway.Hosting;

/// <summary>The block store and the files in it.</summary>
internal static class BlockServices
{
    public static IServiceCollection AddBlocks(this IServiceCollection services, GatewayOptions options) =>
        services.AddSingleton(_ => Open(options)).AddSingleton<UnixFs>().AddSingleton<IContent, ContentStore>();

    private static IBlockStore Open(GatewayOptions options)
    {
        if (options.Ipfs.Store != IpfsOptions.Kubo) return EmbeddedBlockStore.Open(Path.Combine(options.DataFolder, "blocks"));
        var url = new Uri(options.Ipfs.KuboUrl.TrimEnd('/') + "/");
        return new KuboBlockStore(new HttpClient { BaseAddress = url, Timeout = TimeSpan.FromSeconds(30) });
    }
}
