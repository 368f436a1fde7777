using System.Formats.Cbor;
using PmrGateway.Ipfs;

namespace PmrGateway.Tests.Unit.Ipfs;

public class CarWriterTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(23)]
    [InlineData(24)]
    [InlineData(65_535)]
    [InlineData(65_536)]
    public void A_header_names_all_its_roots_however_many(int count)
    {
        var roots = Enumerable.Range(0, count).Select(i => Cid.Of(BitConverter.GetBytes(i))).ToList();
        var car = CarWriter.Header(roots);
        var (length, at) = (0, 0);
        for (var shift = 0; ; shift += 7)
        {
            length |= (car[at] & 0x7f) << shift;
            if (car[at++] < 0x80) break;
        }
        Assert.Equal(car.Length - at, length);

        var cbor = new CborReader(car.AsMemory(at));
        Assert.Equal(2, cbor.ReadStartMap());
        Assert.Equal("roots", cbor.ReadTextString());
        Assert.Equal(count, cbor.ReadStartArray());
        foreach (var root in roots)
        {
            Assert.Equal((CborTag)42, cbor.ReadTag());
            Assert.Equal([0, .. root.ToBytes()], cbor.ReadByteString());
        }
        cbor.ReadEndArray();
        Assert.Equal("version", cbor.ReadTextString());
        Assert.Equal(1, cbor.ReadInt32());
        cbor.ReadEndMap();
        Assert.Equal(CborReaderState.Finished, cbor.PeekState());
    }
}
